import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tervit_np as tv
from tervit_np.arrays import read_only
from tervit_np.quant import StaticAct, UniformAct
from tests.checks import BACKENDS, ROUNDOFF64

QUANTIZERS = [StaticAct(8, 0.02), StaticAct(4, 0.25), StaticAct(2, 1.5)]
values = st.floats(-50, 50, width=32)


def data(shape=(3, 4, 5), dtype="float64"):
    return (2 * np.random.default_rng(0).normal(size=shape)).astype(dtype)


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 2, 2), (7,), ()])
@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
def test_codes_dequantize_to_the_forward(quantizer, shape):
    x = data(shape)
    codes = quantizer.encode(x)
    assert (codes.codes.shape, codes.codes.dtype, codes.scale.shape) == (shape, np.int8, ())
    np.testing.assert_array_equal(codes.dequantize(), quantizer.forward(x)[0])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
def test_float32_gives_the_same_bits_on_every_backend(quantizer, backend):
    x = data(dtype="float32")
    x[0, 0] = [quantizer.clip, -quantizer.clip, 3 * quantizer.scale / 2, 0, 1e30]
    with tv.backend(backend):
        x_hat, cache = quantizer.forward(x)
    assert x_hat.dtype == np.float32
    np.testing.assert_array_equal(x_hat, quantizer.encode(x).dequantize())
    np.testing.assert_array_equal(cache.ste_mask, np.abs(x) < np.float32(quantizer.clip))


def test_codes_match_those_by_hand():
    """Step 1/4 and Q = 7: halves go to the even neighbour, and 1.75 is the last value."""
    x = np.array([0.125, 0.375, -0.625, 1.75, 1.8, -50])
    q, scale, zero = StaticAct(4, 0.25).encode(x)
    assert (q.tolist(), float(scale), int(zero)) == ([0, 2, -2, 7, 7, -7], 0.25, 0)


@given(x=arrays(np.float64, st.integers(1, 6), elements=values))
@settings(max_examples=60, deadline=None)
def test_a_value_becomes_the_nearest_of_the_grid(x):
    quantizer = StaticAct(4, 0.5)
    levels = 0.5 * np.arange(-7, 8)
    distance = np.abs(x[:, None] - levels).min(axis=1)
    np.testing.assert_array_equal(np.abs(quantizer.forward(x)[0] - x), distance)


@pytest.mark.parametrize("bits", range(2, 9))
def test_the_scale_of_a_tensor_gives_the_same_as_the_dynamic_one(bits):
    x = data((50,), "float32")
    dynamic = UniformAct(bits, per="tensor")
    static = StaticAct(bits, dynamic.encode(x).scale.item())
    np.testing.assert_array_equal(static.forward(x)[0], dynamic.forward(x)[0])


def test_a_value_does_not_depend_on_the_others():
    x = data()
    changed = x.copy()
    changed[0] *= 100
    one, two = (StaticAct(8, 0.05).forward(each)[0] for each in (x, changed))
    np.testing.assert_array_equal(one[1:], two[1:])


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
def test_the_gradient_passes_inside_and_stops_beyond(quantizer):
    x = data()
    x[0, 0, :2] = quantizer.clip, -quantizer.clip  # the end itself has none
    x, dx_hat = read_only(x), read_only(np.random.default_rng(1).normal(size=x.shape))
    x_hat, cache = quantizer.forward(x, keep_residual=True)
    inside = np.abs(x) < quantizer.clip
    assert 0 < inside.sum() < x.size
    np.testing.assert_array_equal(quantizer.backward(dx_hat, cache), dx_hat * inside)
    np.testing.assert_allclose(quantizer.frozen(x, cache), x_hat, rtol=ROUNDOFF64)
    with pytest.raises(ValueError, match="keep_residual=True"):
        quantizer.frozen(x, quantizer.forward(x)[1])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_values_are_refused(bad, backend):
    x = np.array([[1.0, bad]], np.float32)
    with tv.backend(backend), pytest.raises(ValueError, match="NaN or infinite"):
        StaticAct(8, 0.1).forward(x)
    with pytest.raises(ValueError, match="NaN or infinite"):
        StaticAct(8, 0.1).encode(x)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_largest_values_are_clipped_and_the_smallest_vanish(backend):
    x = np.array([3.4e38, -3.4e38, 1e-45, 0], np.float32)
    with tv.backend(backend):
        for scale in (1e-37, 1.0, 2e30 / 127 / 2):
            quantizer = StaticAct(8, scale)
            ends = np.float32(quantizer.scale) * np.array([127, -127, 0, 0], np.float32)
            np.testing.assert_array_equal(quantizer.forward(x)[0], ends)


@pytest.mark.parametrize("attempt", ["forward", "encode", "backward", "clip"])
def test_a_quantizer_without_a_scale_says_what_to_do(attempt):
    quantizer = StaticAct(8)
    with pytest.raises(ValueError, match="has no scale yet: calibrate the model with pictures"):
        if attempt == "clip":
            quantizer.clip  # noqa: B018
        else:
            quantizer.forward(data()) if attempt == "backward" else getattr(quantizer, attempt)(
                data()
            )


@pytest.mark.parametrize(
    "scale", [0, -1, float("nan"), float("inf"), 1e30, 10**400, "1", True, [1]]
)
def test_scales_that_are_no_scales_are_refused(scale):
    with pytest.raises(ValueError, match="expected a number above 0 and below 1e30, or None"):
        StaticAct(8, scale)


def test_a_scale_that_float32_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="too small for float32"):
        StaticAct(8, 1e-40)


def test_the_scale_is_rounded_to_float32():
    """So that a model has one grid in float64, in float32 and in a file."""
    assert StaticAct(8, 0.1).scale == float(np.float32(0.1)) != 0.1
    assert StaticAct(8, np.float32(0.1)).scale == StaticAct(8, 0.1).scale


@pytest.mark.parametrize("bits", [1, 9, 8.0, "8", True])
def test_bits_outside_2_to_8_are_refused(bits):
    with pytest.raises(ValueError, match="expected an integer from 2 to 8"):
        StaticAct(bits, 0.1)


def test_the_repr_states_the_rule():
    assert repr(StaticAct(4, 0.25)) == "int4 static (0.25)"
    assert repr(StaticAct()) == "int8 static (not calibrated)"
