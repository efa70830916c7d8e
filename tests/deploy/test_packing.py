"""A packed copy of a model in memory."""

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.deploy.blocks import PackedBlocks
from tervit_np.deploy.layers import PackedLinear
from tervit_np.deploy.packing import packed_copy
from tervit_np.quant import LAT, QEMA, Plan, Ternary, UniformAct
from tests.checks import BACKENDS
from tests.deploy.test_packed import CASES, DEIT, clear_images_of, images_of, model_of
from tests.rounding import assert_same, assert_same_layers, generator


@pytest.mark.rounding
@CASES
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_packed_copy_predicts_what_the_model_does(config, backend):
    model = model_of(config)
    images = clear_images_of(model)
    with tv.backend(backend):
        copy = packed_copy(model)
        assert_same(copy.predict(images), model.predict(images))
        assert_same_layers(copy, model, images)


@pytest.mark.rounding
@pytest.mark.parametrize("rule", [QEMA(), LAT()], ids=repr)
def test_layers_that_stay_floats_keep_what_their_quantizers_remember(rule):
    """With inputs of 4 bits they are not packed, the layers of the other rule are."""
    plan = Plan([(".*fc1", rule, UniformAct(4)), (".*qkv", Ternary(), UniformAct(8))])
    model, rng = model_of(DEIT, plan), generator(3)
    for _, array in model.buffers():
        array[...] = rng.normal(size=array.shape) ** 2
    copy = packed_copy(model)
    layers = dict(model.quantizable())
    for name, layer in copy.quantizable():
        if name.endswith("fc1"):
            pair = layers[name], layer
            own, copied = (each.weight_quant.encode(each.weight.data).codes for each in pair)
            np.testing.assert_array_equal(copied, own)
    images = clear_images_of(model)
    assert_same(copy.predict(images), model.predict(images))


def test_a_packed_copy_equals_the_exported_and_loaded_model(tmp_path):
    model, images = model_of(DEIT), images_of(DEIT)
    tv.export(model, tmp_path / "x")
    np.testing.assert_array_equal(
        packed_copy(model).predict(images), tv.load_packed(tmp_path / "x").predict(images)
    )


def test_model_and_packed_copy_do_not_share_weights():
    model, images = model_of(DEIT), images_of(DEIT)
    before = model.predict(images)
    copy = packed_copy(model)
    assert isinstance(copy.blocks, PackedBlocks)
    assert isinstance(copy.head, PackedLinear)
    copied = copy.predict(images)
    np.testing.assert_array_equal(model.predict(images), before)
    for _, param in model.named_params():
        param.data += 1
    np.testing.assert_array_equal(copy.predict(images), copied)


@pytest.mark.parametrize("plan", ["float", "int8"])
def test_a_model_without_ternary_layers_has_no_packed_copy(plan):
    assert packed_copy(model_of(DEIT, plan)) is None
