import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.features import layer_features, middle_layer
from tests.rounding import generator

SWIN = {"patch_size": 2, "dim": 8, "depths": (2, 1), "heads": (1, 2), "window": 2}
IMAGE = generator(1).normal(size=(3, 8, 8)).astype("f")


def deit(**options):
    return tv.DeiT(tv.DeiTConfig(8, 4, 3, 16, 3, 2, init="xavier", **options), generator(0))


def test_the_features_are_those_of_the_model_on_the_grid_of_the_picture():
    """What the layer gives while the model runs, without the class token."""
    model = tv.quantize(deit(), "ternary")
    found = layer_features(model, IMAGE)
    assert found.layer == middle_layer(model) == "blocks.1.mlp.fc1"
    layer, given = dict(model.quantizable())[found.layer], []
    forward = layer.forward
    layer.forward = lambda x: given.append(forward(x)) or given[-1]
    model.forward(IMAGE[None])
    grid = given[0][0][0, 1:].reshape(2, 2, 64)
    np.testing.assert_array_equal(found.after, grid.transpose(2, 0, 1))
    assert 0.1 < found.error < 1


@pytest.mark.parametrize("options", [{"pool": "mean"}, {"distilled": True}])
def test_tokens_that_are_no_patches_are_left_out(options):
    assert layer_features(deit(**options), IMAGE).before.shape == (64, 2, 2)


def test_swin_has_maps_and_a_float_model_no_error():
    model = tv.create_model("swin_cifar", image_size=8, num_classes=3, seed=0, **SWIN)
    found = layer_features(model, IMAGE)
    assert found.layer == "layers.0.blocks.1.mlp.fc1"
    assert found.before.shape == (32, 4, 4)
    assert found.error == 0
