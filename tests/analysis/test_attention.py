import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.activations import saved_activations
from tervit_np.analysis.attention import attention_heads, attention_map, overlay
from tervit_np.analysis.macs import macs
from tervit_np.analysis.sizes import grouped, sizes, ternarity
from tests.rounding import generator


def test_the_map_is_the_mean_of_heads_and_relative_to_uniform_attention():
    model = tv.DeiT(tv.DeiTConfig(8, 4, 3, 16, 2, 2, init="xavier"), generator(0))
    images = generator(1).normal(size=(3, 3, 8, 8)).astype("f")
    heads = attention_heads(model, images)
    assert heads.shape == (3, 2, 2, 2)
    np.testing.assert_allclose(heads.mean(axis=(2, 3)), 1, rtol=1e-5)
    np.testing.assert_array_equal(attention_map(model, images), heads.mean(axis=1))


@pytest.mark.parametrize("name", ["deit_shapes", "swin_cifar"])
def test_a_model_that_recomputes_its_blocks_has_the_same_map(name):
    """As one that was trained so: its cache has no probabilities."""
    model = tv.create_model(name)
    images = generator(1).normal(size=(2, 3, 32, 32)).astype("f")
    expected = attention_map(model, images)
    model.recompute = True
    np.testing.assert_array_equal(attention_map(model, images), expected)
    assert model.recompute


@pytest.mark.parametrize(
    "measure",
    [
        lambda model: attention_map(model, np.zeros((1, 3, 32, 32), np.float32)),
        lambda model: saved_activations(model, 2),
        macs,
        sizes,
        grouped,
        ternarity,
    ],
)
def test_packed_models_are_refused(measure):
    """Their layers have no weights that could be counted, and no caches."""
    with pytest.raises(ValueError, match="the model is packed and has no latent weights"):
        measure(tv.load_packed("shapes").model)


def test_a_picture_is_tinted_where_attention_is():
    picture = np.full((8, 8, 3), 90, np.uint8)
    picture[0] = 200
    tinted = overlay(picture, np.array([[4.0, 0.0], [0.0, 1.0]]), 4.0)
    assert (tinted.shape, tinted.dtype) == ((96, 96, 3), np.uint8)
    warm = tinted[..., 0].astype(int) - tinted[..., 2]
    corners = warm[40, 40], warm[40, 60], warm[60, 60]
    assert corners[0] > corners[2] > corners[1] == 0
    assert corners[2] == np.round(corners[0] / 2)  # the square root of a quarter


def test_large_pictures_keep_their_size():
    assert overlay(np.zeros((224, 224, 3), np.uint8), np.ones((14, 14)), 2.0).shape == (224, 224, 3)
