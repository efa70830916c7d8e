"""The assertions of rounding.py accept what a processor may do and catch planted mistakes."""

import copy

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.nn import Linear
from tervit_np.quant import Ternary, UniformAct
from tests import rounding
from tests.rounding import (
    FLIP,
    MARGIN,
    Rounded,
    assert_same,
    assert_same_codes,
    assert_same_layers,
    assert_same_or_flipped,
    clear,
    clear_images,
    constant_margin,
    flips,
    from_half,
    generator,
    margins,
    recorded,
)

CONFIG = tv.DeiTConfig(8, 4, 3, 12, 2, 2)


@pytest.fixture
def model():
    model = tv.DeiT(CONFIG, np.random.default_rng(0))
    for _, param in model.named_params():
        param.data += np.random.default_rng(1).normal(0, 0.1, param.shape)
    return tv.quantize(model, "ternary")


def layer():
    layer = Linear(3, 2, weight_quant=Ternary(), act_quant=UniformAct(8))
    layer.weight.data[...] = [[1, -1, 0.1], [0.5, 1, 1]]
    return layer


def test_the_variable_gives_other_seeds(monkeypatch):
    first = generator(3).normal(size=4)
    np.testing.assert_array_equal(first, np.random.default_rng(3).normal(size=4))
    monkeypatch.setenv("TERVIT_TEST_SEED", "1")
    assert (generator(3).normal(size=4) != first).all()


def test_distances_from_a_half():
    np.testing.assert_allclose(from_half([0, 0.5, 1.75, -0.4, -2.5, 126.5001]),
                               [0.5, 0, 0.25, 0.1, 0, 1e-4], atol=1e-9)  # fmt: skip


def test_the_margin_of_a_layer():
    """A step of 1: the code of the second value is 3 or 4, of the third 10."""
    x = np.array([[[127, 3.5 + 6e-5, 10.2]], [[127, 3.5 + 6e-3, 10.2]]])
    np.testing.assert_allclose(margins(layer(), x), [6e-5, 6e-3], rtol=1e-9)
    np.testing.assert_array_equal(clear([layer()], x), [False, True])


def test_the_margin_is_computed_in_float64_and_changes_no_model(model):
    images = np.random.default_rng(2).normal(size=(4, 3, 8, 8)).astype(np.float32)
    before = model.predict(images)
    found = margins(model, images)
    assert found.dtype == np.float64
    wide = rounding.in_float64(model)
    with recorded() as record:
        wide.forward(images.astype(np.float64))
    assert len(record) == 1 + 2 * 4 + 1  # patches, two blocks, head
    assert min(each.distance[2].min() for each in record) == found[2]
    np.testing.assert_array_equal(model.predict(images), before)


def test_a_float_model_has_no_boundary(model):
    images = np.zeros((2, 3, 8, 8), np.float32)
    np.testing.assert_array_equal(margins(tv.quantize(model, "float"), images), [0.5, 0.5])


def test_clear_images_keep_the_margin_of_every_model(model, monkeypatch):
    other = tv.quantize(copy.deepcopy(model), "int8")
    images = clear_images([model, other], 5, (3, 8, 8))
    assert images.shape == (5, 3, 8, 8)
    for each in (model, other):
        assert all(margins(each, image[None])[0] > rounding.MARGIN for image in images)
    monkeypatch.setattr(rounding, "MARGIN", 0.4)
    monkeypatch.setattr(rounding, "ATTEMPTS", 2)
    with pytest.raises(AssertionError, match="only 0 of 64 images keep the margin"):
        clear_images([model], 1, (3, 8, 8))


def test_recording_ends_with_its_lines():
    forward = UniformAct.forward
    with recorded() as outer, recorded() as inner:
        layer().forward(np.ones((1, 3), np.float32))
    assert (len(outer), len(inner)) == (1, 1)
    assert UniformAct.forward is forward


def test_codes_may_differ_by_one_next_to_a_half():
    distance = np.array([FLIP / 2, 0.3, FLIP / 2])
    assert_same_codes([4, 7, -1], [3, 7, -1], distance)
    with pytest.raises(AssertionError, match="x / s is 3.0e-01 from a half"):
        assert_same_codes([4, 8, -1], [3, 7, -1], distance)
    with pytest.raises(AssertionError, match="codes differ by 2"):
        assert_same_codes([5, 7, -1], [3, 7, -1], distance)


def test_an_error_of_one_image_is_not_lost_among_others():
    expected = np.array([[1000.0, 0.0], [1.0, 0.5]])
    assert_same(expected * (1 + 5e-6), expected)
    with pytest.raises(AssertionError, match="relative errors"):
        assert_same(expected + [[0, 0], [0, 2e-5]], expected)


def record(codes, distance=0.2):
    codes = np.array(codes)
    return Rounded(codes, np.broadcast_to(distance, codes.shape))


def test_the_first_flip_of_an_image_must_be_next_to_a_half():
    near = rounding.MARGIN / 2
    one = [record([[1, 2], [3, 4], [5, 6]]), record([[1, 2], [3, 4], [5, 6]])]
    two = [record([[1, 2], [3, 5], [5, 6]], near), record([[1, 2], [70, 40], [5, 6]])]
    np.testing.assert_array_equal(flips(one, two, 3), [False, True, False])
    two[1] = record([[1, 3], [70, 40], [5, 6]])  # a mistake in an image without a flip
    with pytest.raises(AssertionError, match="x / s is 2.0e-01 from a half"):
        flips(one, two, 3)


def test_an_image_is_excused_by_a_flip_and_only_from_little_noise():
    expected = np.array([[1.0, 2.0], [2.0, 1.0]])
    found = expected + [[0, 0], [0, 0.01]]
    assert_same_or_flipped(found, expected, np.array([False, True]))
    with pytest.raises(AssertionError, match="without a flipped code"):
        assert_same_or_flipped(found, expected, np.array([True, False]))
    with pytest.raises(AssertionError, match="decibels"):
        assert_same_or_flipped(found + [[0, 0], [0, 0.1]], expected, np.array([True, True]))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("blocks.1.mlp.fc2.bias", lambda a: a + [1e-4, *[0] * 11]),
        ("blocks.0.attn.qkv.weight", lambda a: a * 1.0001),
        ("norm.weight", lambda a: a[::-1]),
    ],
)
def test_a_mistake_of_one_layer_is_named(model, name, change):
    images = np.random.default_rng(3).normal(size=(2, 3, 8, 8)).astype(np.float32)
    other = copy.deepcopy(model)
    assert_same_layers(other, model, images)
    param = dict(other.named_params())[name]
    param.data = change(param.data).astype(np.float32)
    with pytest.raises(AssertionError, match=name.rpartition(".")[0]):
        assert_same_layers(other, model, images)
    assert "forward" not in vars(model.norm)


def test_values_that_all_images_share_have_a_margin_of_their_own():
    """A class token is the same in all images until it attends."""
    layer = Linear(4, 3, act_quant=UniformAct(8))
    images = generator().normal(size=(3, 2, 4)).astype(np.float32)
    images[:, 0] = 127, 30.2, 0, 0
    assert constant_margin(layer, images) == pytest.approx(0.3, abs=1e-5)
    images[:, 0, 1] = 30.50001
    assert constant_margin(layer, images) < MARGIN
