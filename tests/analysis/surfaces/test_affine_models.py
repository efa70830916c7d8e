import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.surfaces.affine_models import (
    AffineModels,
    difference,
    quantizable_weights,
    rounded,
    smooth,
    with_weights,
)
from tervit_np.verify.golden import CASES, filled_model, inputs
from tests.rounding import assert_same, assert_same_layers, clear_images


def small(case="conv-mean", plan="float", dtype="float32"):
    return tv.quantize(filled_model(CASES[case], dtype), plan)


@pytest.mark.rounding
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("plan", ["float", "int8", "ternary"])
def test_rounded_weights_give_the_same_logits_without_weight_quantizers(case, plan):
    model = small(case, plan)
    images = clear_images([model], 3, (3, *2 * [CASES[case].image_size]))
    fixed = rounded(model)
    assert_same(fixed.predict(images), model.predict(images))
    assert_same_layers(fixed, model, images)
    kinds = {type(layer.weight_quant) for _, layer in fixed.quantizable()}
    assert kinds == {tv.quant.Identity}
    assert type(model.head.weight_quant) is not tv.quant.Identity or plan == "float"


def test_a_point_shifts_the_named_weights_and_shares_the_others():
    model = small()
    weight = model.blocks[0].attn.qkv.weight
    before = weight.data.copy()
    direction = {"blocks.0.attn.qkv.weight": np.ones_like(before), "head.bias": np.ones(5, "f")}
    moved = AffineModels(model, (direction, direction)).at((0.5, -0.25))
    np.testing.assert_allclose(moved.blocks[0].attn.qkv.weight.data, before + 0.25, atol=1e-6)
    np.testing.assert_array_equal(weight.data, before)
    shared = moved.blocks[0].attn.proj.weight, model.blocks[0].attn.proj.weight
    assert np.shares_memory(shared[0].data, shared[1].data)
    assert not np.shares_memory(shared[0].grad, shared[1].grad)


def test_the_origin_is_the_model_to_the_last_bit():
    images = inputs(CASES["conv-mean"])[0]
    model = small(plan="ternary")
    direction = {name: np.ones_like(p.data) for name, p in model.named_params()}
    origin = AffineModels(model, (direction,)).at((0.0,))
    np.testing.assert_array_equal(origin.predict(images), model.predict(images))


def test_the_end_of_a_difference_is_the_other_model():
    start, end = small(), small()
    for _, param in end.named_params():
        param.data += 1
    there = AffineModels(start, (difference(start, end),)).at((1.0,))
    for (name, a), (_, b) in zip(there.named_params(), end.named_params(), strict=True):
        np.testing.assert_allclose(a.data, b.data, atol=1e-6, err_msg=name)
    with pytest.raises(ValueError, match="one architecture"):
        difference(start, small("plain"))


def test_learned_scales_are_on_a_line_between_two_models_that_have_them():
    """Without them a line would round the end's weights by the start's scales."""
    start, end = small(plan="seq"), small(plan="seq")
    for _, param in end.quantizer_params():
        param.data *= 0.5
    there = AffineModels(start, (difference(start, end),)).at((1.0,))
    for (name, one), (_, two) in zip(there.named_params(), end.named_params(), strict=True):
        np.testing.assert_allclose(one.data, two.data, rtol=1e-6, atol=1e-7, err_msg=name)
    without = difference(small(), end)
    assert list(without) == [name for name, _ in end.official_params()]
    assert smooth(end).quantizer_params() == []


def test_smooth_is_float64_with_rounded_weights_and_float_activations():
    model = small(plan="ternary")
    wide = smooth(model)
    assert wide.dtype == np.float64
    layer = model.blocks[0].mlp.fc1
    w_hat = layer.weight_quant.forward(layer.weight.data)[0]
    np.testing.assert_array_equal(wide.blocks[0].mlp.fc1.weight.data, w_hat.astype(np.float64))
    for _, other in wide.quantizable():
        assert isinstance(other.weight_quant, tv.quant.Identity)
        assert isinstance(other.act_quant, tv.quant.Identity)


def test_quantizable_weights_are_matrices():
    names = quantizable_weights(small("swin"))
    assert "layers.0.downsample.reduction.weight" in names
    assert not any("norm" in name or name.endswith("bias") for name in names)


def test_replaced_weights_do_not_change_the_original():
    model = small()
    other = with_weights(model, {"head.weight": np.zeros_like(model.head.weight.data)})
    assert not other.head.weight.data.any()
    assert model.head.weight.data.any()


def test_a_direction_of_float64_keeps_the_dtype_of_the_model():
    """`rng.normal` and points of `np.linspace` are float64, and made the model run in float64."""
    model, name = small(), "blocks.0.attn.qkv.weight"
    direction = {name: np.random.default_rng(0).normal(size=model.blocks[0].attn.qkv.weight.shape)}
    moved = AffineModels(model, (direction,)).at((np.linspace(0, 1, 3)[1],))
    assert {p.data.dtype for _, p in moved.named_params()} == {np.dtype(np.float32)}
    shift = moved.blocks[0].attn.qkv.weight.data - model.blocks[0].attn.qkv.weight.data
    np.testing.assert_allclose(shift, direction[name] / 2, atol=1e-6)


def test_smooth_keeps_what_a_user_has_changed():
    """It was built from the configuration, so that curvature was that of another model."""
    model, (images, _) = small(), inputs(CASES["conv-mean"])
    model.blocks[0].norm2.eps = 1.0
    np.testing.assert_allclose(smooth(model).predict(images), model.predict(images), atol=1e-4)
    model.blocks[0].norm2.eps = 1e-6
    assert np.abs(smooth(model).predict(images) - model.predict(images)).max() < 1e-4


def test_a_smooth_model_runs_its_own_weights_where_a_user_has_wrapped_a_block():
    model = small()
    block = model.blocks[0]
    forward = block.forward
    block.forward = lambda *args, **options: forward(*args, **options)
    images = inputs(CASES["conv-mean"])[0]
    logits = smooth(model).predict(images)
    changed = smooth(model)
    for _, param in changed.blocks[0].named_params():
        param.data[...] = 0
    assert np.abs(changed.predict(images) - logits).max() > 1e-3
