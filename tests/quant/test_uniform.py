import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tervit_np as tv
from tervit_np.arrays import read_only
from tervit_np.quant import UniformAct, UniformWeight
from tests.checks import BACKENDS, ROUNDOFF32, ROUNDOFF64

values = st.floats(-1e6, 1e6, width=32).map(lambda v: v if abs(v) > 1e-6 else 0.0)
matrices = arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 6)), elements=values)
QUANTIZERS = [
    *(UniformWeight(bits, per) for bits in (2, 4, 8) for per in ("channel", "tensor")),
    *(
        UniformAct(bits, kind, per)
        for bits in (2, 4, 8)
        for kind in ("symmetric", "minmax")
        for per in ("token", "tensor")
    ),
]


def data(shape=(3, 4, 5), dtype="float64"):
    rng = np.random.default_rng(0)
    return (
        rng.normal(size=shape) * rng.uniform(0.1, 9, shape[:1] + (1,) * (len(shape) - 1))
    ).astype(dtype)


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 2, 2), (4, 6), (7,)])
@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
def test_codes_dequantize_to_the_forward(quantizer, shape):
    x = data(shape)
    codes = quantizer.encode(x)
    assert codes.codes.shape == shape
    np.testing.assert_array_equal(codes.dequantize(), quantizer.forward(x)[0])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
def test_float32_gives_the_same_bits_on_every_backend(quantizer, backend):
    x = data(dtype="float32")
    with tv.backend(backend):
        x_hat, _ = quantizer.forward(x)
    assert x_hat.dtype == np.float32
    np.testing.assert_array_equal(x_hat, quantizer.encode(x).dequantize())


@pytest.mark.parametrize("bits", range(2, 9))
def test_symmetric_codes_fill_their_range(bits):
    top = 2 ** (bits - 1) - 1
    codes = UniformWeight(bits).encode(np.linspace(-3, 3, 2000).reshape(1, -1))
    assert codes.codes.dtype == np.int8
    assert np.unique(codes.codes).tolist() == list(range(-top, top + 1))
    assert codes.scale.shape == (1,)
    assert codes.scale[0] == 3 / top


@pytest.mark.parametrize("bits", range(2, 9))
def test_minmax_codes_fill_their_range(bits):
    codes = UniformAct(bits, "minmax").encode(np.linspace(-1, 3, 2000).reshape(1, -1))
    assert codes.codes.dtype == np.uint8
    assert np.unique(codes.codes).tolist() == list(range(2**bits))
    assert codes.zero_point.dtype.kind == "i"


def test_symmetric_codes_round_ties_to_even():
    """max 127 gives step 1, so halves are halves."""
    x = np.array([[127.0, 0.5, 1.5, 2.5, -0.5, -1.5, 0.49]])
    assert UniformWeight().encode(x).codes.tolist() == [[127, 0, 2, 2, 0, -2, 0]]


def test_minmax_codes_match_those_by_hand():
    """Range -51 to 204 is 255 steps of 1, zero at 51; 1.5 rounds to 2 before 51 is added."""
    x = np.array([[-51.0, 204.0, 0.0, 1.5, 0.5]])
    q, scale, zero = UniformAct(8, "minmax").encode(x)
    assert (q.tolist(), scale.tolist(), zero.tolist()) == ([[0, 255, 51, 53, 51]], [[1.0]], [[51]])


@pytest.mark.parametrize("sign", [1, -1])
def test_the_minmax_range_contains_zero(sign):
    """A range on one side is extended, so that zero is a code: padding and ReLU stay exact."""
    x = sign * np.array([[2.0, 3.0, 5.1]])
    q, scale, zero = UniformAct(8, "minmax").encode(x)
    assert scale[0, 0] == 5.1 / 255
    assert zero[0, 0] == (0 if sign == 1 else 255)
    assert UniformAct(8, "minmax").forward(np.append(x, [[0.0]], 1))[0][0, -1] == 0


@given(x=matrices)
@settings(max_examples=60, deadline=None)
def test_the_error_is_at_most_half_a_step(x):
    """Half a step, except at an end of a min-max range, where the zero point rounds: one step."""
    for quantizer, steps in [(UniformWeight(), 0.5), (UniformAct(), 0.5),
                             (UniformAct(8, "minmax"), 1.0)]:  # fmt: skip
        scale = np.reshape(quantizer.encode(x).scale, (-1, 1))
        x_hat, _ = quantizer.forward(x)
        assert (np.abs(x_hat - x) <= steps * scale * (1 + 1e-9)).all()


@given(x=matrices)
@settings(max_examples=40, deadline=None)
def test_symmetric_quantization_is_odd_and_keeps_the_largest(x):
    x_hat, _ = UniformAct().forward(x)
    np.testing.assert_array_equal(UniformAct().forward(-x)[0], -x_hat)
    rows = np.arange(len(x)), np.abs(x).argmax(axis=1)
    np.testing.assert_allclose(x_hat[rows], x[rows], rtol=ROUNDOFF64)


def test_each_row_has_its_own_scale():
    """A token, channel or tensor does not feel what happens outside it."""
    x = data((2, 3, 4))
    changed = x.copy()
    changed[0, 0] *= 100
    for quantizer, same in [
        (UniformAct(), np.s_[:, 1:]),
        (UniformAct(8, "minmax"), np.s_[:, 1:]),
        (UniformWeight(), np.s_[1:]),
    ]:
        one, two = quantizer.forward(x)[0], quantizer.forward(changed)[0]
        np.testing.assert_array_equal(one[same], two[same])
    for quantizer in (UniformAct(per="tensor"), UniformWeight(per="tensor")):
        assert (quantizer.forward(x)[0] != quantizer.forward(changed)[0])[1].any()


def test_scales_have_the_shape_of_their_granularity():
    x = data((2, 3, 4))
    assert UniformAct().encode(x).scale.shape == (2, 3, 1)
    assert UniformAct(8, "minmax").encode(x).zero_point.shape == (2, 3, 1)
    assert UniformAct(per="tensor").encode(x).scale.shape == ()
    assert UniformWeight().encode(x).scale.shape == (2,)
    assert UniformWeight(per="tensor").encode(x).scale.shape == ()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
def test_zeros_stay_zeros_and_denormals_stay_small(quantizer, backend):
    """A row whose step underflows is treated as a row of zeros."""
    with tv.backend(backend):
        zeros, _ = quantizer.forward(np.zeros((2, 3), np.float32))
        tiny, _ = quantizer.forward(np.array([[1e-45, -1e-45, 0]], np.float32))
    assert not zeros.any()
    assert np.abs(tiny).max() <= np.float32(1e-45)
    assert quantizer.encode(np.zeros((2, 3))).dequantize().tolist() == [[0] * 3] * 2


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
def test_non_finite_values_are_refused(quantizer, bad, backend):
    x = np.array([[1.0, bad]], np.float32)
    with tv.backend(backend), pytest.raises(ValueError, match="NaN or infinite"):
        quantizer.forward(x)
    with pytest.raises(ValueError, match="NaN or infinite"):
        quantizer.encode(x)


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
def test_integers_are_refused(quantizer):
    """In int8 the magnitude of -128 is -128, and 5 would be the largest of these."""
    for call in (quantizer.forward, quantizer.encode):
        with pytest.raises(ValueError, match="are int8, expected floating-point numbers"):
            call(np.array([[-128, 5]], np.int8))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_largest_float32_values_stay_finite(backend):
    """One side fits; a range of twice the largest number has no step in float32."""
    big = np.float32(3.4e38)
    with tv.backend(backend):
        for quantizer in (UniformWeight(), UniformAct(), UniformAct(8, "minmax")):
            x_hat, _ = quantizer.forward(np.array([[big, 0]], np.float32))
            np.testing.assert_allclose(x_hat, [[big, 0]], rtol=ROUNDOFF32)
        with pytest.raises(ValueError, match="too large"):
            UniformAct(8, "minmax").forward(np.array([[big, -big]], np.float32))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
def test_the_last_float32_is_exact_or_refused(quantizer, backend):
    """The step is rounded, so the last level may exceed the largest float32; it must not be inf."""
    last = np.finfo(np.float32).max
    for largest in (last, np.nextafter(last, np.float32(0))):
        x = np.array([[largest, 0]], np.float32)
        try:
            with tv.backend(backend):
                x_hat, _ = quantizer.forward(x)
        except ValueError as error:
            assert "too large" in str(error)
        else:
            np.testing.assert_allclose(x_hat, x, rtol=ROUNDOFF32)


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
def test_the_gradient_passes_straight_through(quantizer):
    x = read_only(data())
    dx_hat = read_only(np.random.default_rng(1).normal(size=(3, 4, 5)))
    _, cache = quantizer.forward(x, keep_residual=True)
    np.testing.assert_array_equal(quantizer.backward(dx_hat, cache), dx_hat)
    np.testing.assert_allclose(quantizer.frozen(x, cache), quantizer.forward(x)[0], rtol=ROUNDOFF64)
    with pytest.raises(ValueError, match="keep_residual=True"):
        quantizer.frozen(x, quantizer.forward(x)[1])


@pytest.mark.parametrize("bits", [1, 9, 8.0, "8", True])
@pytest.mark.parametrize("kind", [UniformWeight, UniformAct])
def test_bits_outside_2_to_8_are_refused(kind, bits):
    with pytest.raises(ValueError, match="expected an integer from 2 to 8"):
        kind(bits)


def test_options_are_checked_when_built():
    with pytest.raises(ValueError, match="per is 'token'; expected 'channel'"):
        UniformWeight(8, "token")
    with pytest.raises(ValueError, match="per is 'channel'; expected 'token'"):
        UniformAct(per="channel")
    with pytest.raises(ValueError, match="kind is 'affine'"):
        UniformAct(8, "affine")


def test_the_repr_states_the_rule():
    assert repr(UniformWeight(4)) == "int4 (channel)"
    assert repr(UniformAct(8, "minmax", "tensor")) == "int8 minmax (tensor)"
