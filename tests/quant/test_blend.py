import numpy as np
import pytest

from tervit_np.quant import LSQ, SEQ, TTQ, Blend, Ternary, UniformWeight
from tests.checks import ROUNDOFF64

W = np.random.default_rng(0).normal(size=(3, 7))
DW_HAT = np.random.default_rng(1).normal(size=W.shape)
INNER = Ternary(clip=0.9)


def test_a_ramp_begins_float_and_ends_quantized_to_the_last_bit():
    np.testing.assert_array_equal(Blend(INNER, 0.0).forward(W)[0], W)
    np.testing.assert_array_equal(Blend(INNER, 1.0).forward(W)[0], INNER.forward(W)[0])


def test_a_blend_is_the_weighted_mean():
    w_hat, _ = INNER.forward(W)
    np.testing.assert_allclose(
        Blend(INNER, 0.3).forward(W)[0], 0.7 * W + 0.3 * w_hat, rtol=ROUNDOFF64
    )


@pytest.mark.parametrize("amount", [0.0, 0.3, 1.0])
def test_the_gradient_is_blended_in_the_same_way(amount):
    inside = np.abs(W) < 0.9
    blend = Blend(INNER, amount)
    dw = blend.backward(DW_HAT, blend.forward(W)[1])
    np.testing.assert_allclose(dw, DW_HAT * np.where(inside, 1, 1 - amount), atol=ROUNDOFF64)


@pytest.mark.parametrize("rule", [LSQ, SEQ, TTQ])
def test_a_learned_scale_gets_the_amount_of_its_gradient(rule):
    """It got the whole gradient from the first step of a ramp, when it had hardly an effect."""
    whole, blended = rule(), rule()
    for quantizer in (whole, blended):
        quantizer.prepare(W)
    whole.backward(DW_HAT, whole.forward(W)[1])
    blend = Blend(blended, 0.3)
    blend.backward(DW_HAT, blend.forward(W)[1])
    for name, param in whole.params().items():
        np.testing.assert_allclose(blend.params()[name].grad, 0.3 * param.grad, rtol=ROUNDOFF64)


def test_the_backward_uses_the_amount_of_its_forward():
    blend = Blend(INNER, 0.0)
    _, cache = blend.forward(W)
    blend.amount = 1.0
    np.testing.assert_array_equal(blend.backward(DW_HAT, cache), DW_HAT)


def test_codes_bits_and_parameters_are_those_of_the_inner_quantizer():
    blend = Blend(UniformWeight(4), 0.2)
    for one, two in zip(blend.encode(W), UniformWeight(4).encode(W), strict=True):
        np.testing.assert_array_equal(one, two)
    assert blend.bits == 4
    assert blend.params() == {}
    assert repr(blend) == "0.20 int4 (channel)"


def test_an_amount_of_numpy_keeps_float32():
    """Amounts of a schedule come from `np.linspace`."""
    w = W.astype(np.float32)
    blend = Blend(INNER)
    blend.amount = np.linspace(0, 1, 4)[1]
    w_hat, cache = blend.forward(w)
    assert w_hat.dtype == blend.backward(w, cache).dtype == np.float32
    np.testing.assert_array_equal(w_hat, Blend(INNER, 1 / 3).forward(w)[0])
