"""LayerNorm, GELU and quantization in one pass, compared with the operators one by one."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tervit_np import ops
from tervit_np.kernels.fused import gelu_quantize, residual_layernorm_quantize
from tervit_np.kernels.panels import QuantizedTokens, quantize_tokens
from tests.checks import relative_error
from tests.rounding import MARGIN, assert_same_codes, from_half, generator

pytestmark = pytest.mark.rounding

WIDTHS = [1, 7, 16, 33, 64, 96, 384]


def make_tokens(rows, width):
    codes = np.full((rows, -(-width // 4) * 4), 99, np.int8)
    return QuantizedTokens(codes, np.empty(rows, np.float32), np.empty(rows, np.int32))


def assert_rounded(found, expected):
    """Hold tokens to what `expected`, in float64, is rounded to."""
    tokens, width = quantize_tokens(expected.astype(np.float32)), expected.shape[1]
    steps = expected / tokens.scale[:, None]
    assert_same_codes(found.q[:, :width], tokens.q[:, :width], from_half(steps), MARGIN)
    assert not found.q[:, width:].any()
    largest = np.abs(expected).max() / 127  # GELU's far tail has fewer digits
    np.testing.assert_allclose(found.scale, tokens.scale, rtol=0, atol=1e-6 * largest)
    np.testing.assert_array_equal(found.row_sums, found.q.sum(axis=1))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("eps", [1e-6, 1e-5])
def test_residual_layernorm_quantize_equals_its_steps(width, eps):
    rng = generator(width)
    x, branch = (rng.normal(size=(5, width)).astype(np.float32) for _ in range(2))
    gamma, beta = (rng.normal(size=width).astype(np.float32) for _ in range(2))
    before, found = x.copy(), make_tokens(5, width)
    wide = np.pad(branch, ((0, 0), (0, 64)), constant_values=1e3)  # padding of a panel
    residual_layernorm_quantize(x, wide, gamma, beta, eps, 0.0, found)
    np.testing.assert_array_equal(x, before + branch)
    normal = ops.layernorm(x.astype(np.float64), gamma, beta, eps)[0]
    assert_rounded(found, normal)


@pytest.mark.parametrize("form", ["erf", "tanh"])
@pytest.mark.parametrize("width", WIDTHS)
def test_gelu_quantize_equals_its_steps(width, form):
    x = generator(width).normal(size=(5, width + 3)).astype(np.float32)
    expected = ops.gelu(x[:, :width].astype(np.float64), form)[0]
    before, found = x.copy(), make_tokens(5, width)
    gelu_quantize(x, form == "erf", width, 0.0, found)
    np.testing.assert_array_equal(x[:, width:], before[:, width:])
    assert relative_error(x[:, :width], expected) < 1e-6
    assert_rounded(found, expected)


@pytest.mark.parametrize("width", WIDTHS)
def test_static_scales_are_given_and_clip(width):
    """Codes are those of the values that the operators give; beyond the grid they are its ends."""
    rng, scale = generator(width), float(np.float32(0.01))
    x, branch = (rng.normal(size=(5, width)).astype(np.float32) for _ in range(2))
    gamma, beta = (rng.normal(size=width).astype(np.float32) for _ in range(2))
    found = make_tokens(5, width), make_tokens(5, width)
    residual_layernorm_quantize(x, branch, gamma, beta, 1e-6, scale, found[0])
    expected = [ops.layernorm(x.astype(np.float64), gamma, beta, 1e-6)[0]]
    hidden = x.copy()
    gelu_quantize(hidden, True, width, scale, found[1])
    expected.append(ops.gelu(x.astype(np.float64), "erf")[0])
    for tokens, values in zip(found, expected, strict=True):
        steps = np.clip(values / scale, -127, 127)
        assert_same_codes(tokens.q[:, :width], np.rint(steps), from_half(steps), MARGIN)
        assert not tokens.q[:, width:].any()
        assert (tokens.scale == np.float32(scale)).all()
        np.testing.assert_array_equal(tokens.row_sums, tokens.q.sum(axis=1))


@pytest.mark.parametrize("form", ["erf", "tanh"])
def test_gelu_of_minus_infinity_is_the_code_of_zero(form):
    x = np.array([[-np.inf, 3e38, -3e38, 1.0]], np.float32)
    tokens = make_tokens(1, 4)
    gelu_quantize(x, form == "erf", 4, 0.0, tokens)
    np.testing.assert_array_equal(tokens.q[0, :4], [0, 127, 0, 0])


def test_values_without_a_scale_are_refused():
    x = np.ones((2, 8), np.float32)
    x[1, 3] = np.nan
    for scale in (0.0, 0.1):
        with pytest.raises(ValueError, match="NaN or infinite"):
            gelu_quantize(x.copy(), True, 8, scale, make_tokens(2, 8))
