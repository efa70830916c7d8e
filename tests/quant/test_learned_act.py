import json

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.models import with_fixed_inputs
from tervit_np.quant import PACT, LSQAct, Plan, StaticAct, Ternary, UniformWeight, fixed_scale
from tervit_np.quant.plan_words import quantizer_from_words, quantizer_to_words
from tests.checks import BACKENDS, ROUNDOFF32, ROUNDOFF64, close

X, DX_HAT = np.random.default_rng(0).normal(size=(2, 5, 40))
KINDS = pytest.mark.parametrize("kind", [LSQAct, PACT])


def started(kind, bits=4, scale=0.2, dtype=np.float64):
    quantizer = kind(bits)
    quantizer.prepare(np.zeros(1, dtype))
    return quantizer.with_scale(scale)


@KINDS
@pytest.mark.parametrize("backend", BACKENDS)
def test_values_are_those_of_a_static_grid(kind, backend):
    x = X.astype(np.float32)
    quantizer = started(kind, dtype=np.float32)
    with tv.backend(backend):
        static = StaticAct(4, quantizer.require_scale())
        np.testing.assert_array_equal(quantizer.forward(x)[0], static.forward(x)[0])
    np.testing.assert_array_equal(quantizer.encode(x).codes, static.encode(x).codes)
    assert fixed_scale(quantizer) == static.scale


def test_gradients_of_the_end_are_those_of_the_papers():
    inside = np.abs(X) < 7 * 0.2
    steps = X / 0.2
    lsq = np.where(inside, np.rint(steps) - steps, 7 * np.sign(X))  # by s
    pact = np.where(inside, 0, np.sign(X))  # by a
    for kind, by_hand in ((LSQAct, lsq / 7), (PACT, pact)):
        quantizer = started(kind)
        dx = quantizer.backward(DX_HAT, quantizer.forward(X)[1])
        (grad,) = (param.grad for param in quantizer.params().values())
        close(grad, np.array([(DX_HAT * by_hand).sum()]), ROUNDOFF64)
        close(dx, DX_HAT * inside, ROUNDOFF64)


@KINDS
def test_an_end_below_zero_rounds_almost_all_to_almost_zero(kind):
    quantizer = started(kind)
    quantizer.params()["end"].data.fill(-1)
    x_hat, cache = quantizer.forward(X)
    assert np.abs(x_hat).max() < 1e-18
    assert np.isfinite(quantizer.backward(DX_HAT, cache)).all()
    assert np.isfinite(quantizer.params()["end"].grad).all()


@KINDS
@pytest.mark.parametrize("bits", [2, 8])
@pytest.mark.parametrize("size", [1e-5, 1e-8, 1e-12])
def test_an_end_below_zero_can_grow_again(kind, bits, size):
    """All values are beyond it: da is the sum of dx_hat sign(x), however small dx_hat is."""
    quantizer = started(kind, bits, dtype=np.float32)
    quantizer.params()["end"].data.fill(-1)
    x = X.astype(np.float32)
    _, cache = quantizer.forward(x)
    quantizer.backward(np.float32(size) * np.sign(x), cache)
    close(quantizer.params()["end"].grad, np.array([size * x.size]), ROUNDOFF32)


@KINDS
def test_a_plan_prepares_and_calibration_starts(kind):
    model = tv.create_model("deit_shapes", depth=1, dim=16, dtype="float64")
    tv.quantize(model, Plan([("blocks.*(qkv|fc1)|head", Ternary(), kind(8))]))
    images = np.random.default_rng(1).normal(size=(4, 3, 32, 32))
    with pytest.raises(ValueError, match="no scale yet: calibrate the model"):
        model.predict(images)
    found = tv.calibrate(model, images)
    assert set(found) == {"blocks.0.attn.qkv", "blocks.0.mlp.fc1", "head"}
    for name, layer in model.quantizable():
        if name in found:
            assert type(layer.act_quant) is kind
            assert layer.act_quant.scale == pytest.approx(found[name].scale, rel=1e-6)
            assert layer.act_quant.params()["end"].data.dtype == np.float64
    fixed = with_fixed_inputs(model)
    assert type(fixed.head.act_quant) is StaticAct
    assert fixed.head.weight.data is model.head.weight.data
    assert fixed.head.act_quant.scale == np.float32(model.head.act_quant.scale)


@KINDS
@pytest.mark.parametrize("stem", ["linear", "conv"])
def test_the_first_layer_learns_its_end_without_a_gradient_of_images(kind, stem):
    model = tv.create_model("deit_shapes", depth=1, dim=16, stem=stem)
    tv.quantize(model, Plan([("patch_embed.*", UniformWeight(8), kind(4))]))
    images = np.random.default_rng(1).normal(size=(2, 3, 32, 32)).astype(np.float32)
    tv.calibrate(model, images)
    logits, cache = model.forward(images)
    model.backward(np.ones_like(logits), cache, input_grad=False)
    grads = [p.grad for name, p in model.quantizer_params() if "patch_embed" in name]
    assert grads
    assert all(grad.any() for grad in grads)


@pytest.mark.parametrize(("word", "kind"), [("int4-lsq", LSQAct), ("int2-pact", PACT)])
def test_plan_files_have_words(word, kind):
    quantizer = quantizer_from_words(word, "inputs")
    assert type(quantizer) is kind
    assert quantizer.bits == int(word[3])
    assert json.loads(quantizer_to_words(quantizer, "inputs")) == word
    with pytest.raises(ValueError, match=r"weights is 'int.*'"):
        quantizer_from_words(word, "weights")


def test_the_repr_states_the_rule():
    assert repr(LSQAct(4)) == "int4 LSQ (not calibrated)"
    assert repr(started(PACT)) == "int4 PACT (0.2)"
