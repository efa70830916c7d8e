"""LayerNorm, GELU and quantization in one pass, compared with the operators one by one."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tervit_np import ops
from tervit_np.kernels.fused import gelu_quantize, residual_layernorm_quantize
from tervit_np.kernels.panels import QuantizedTokens, quantize_tokens
from tests.checks import relative_error

WIDTHS = [1, 7, 16, 33, 64, 96, 384]


def make_tokens(rows, width):
    codes = np.full((rows, -(-width // 4) * 4), 99, np.int8)
    return QuantizedTokens(codes, np.empty(rows, np.float32), np.empty(rows, np.int32))


def assert_same(found, expected):
    """Codes may differ by one where a value lies next to a half."""
    difference = found.q.astype(int) - expected.q
    assert np.abs(difference).max() <= 1
    assert (difference != 0).mean() < 1e-2
    np.testing.assert_allclose(found.scale, expected.scale, rtol=1e-5)
    np.testing.assert_array_equal(found.row_sums, found.q.sum(axis=1))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("eps", [1e-6, 1e-5])
def test_residual_layernorm_quantize_equals_its_steps(width, eps):
    rng = np.random.default_rng(width)
    x, branch = (rng.normal(size=(5, width)).astype(np.float32) for _ in range(2))
    gamma, beta = (rng.normal(size=width).astype(np.float32) for _ in range(2))
    before, found = x.copy(), make_tokens(5, width)
    wide = np.pad(branch, ((0, 0), (0, 64)), constant_values=1e3)  # padding of a panel
    residual_layernorm_quantize(x, wide, gamma, beta, eps, found)
    np.testing.assert_array_equal(x, before + branch)
    normal = ops.layernorm(x.astype(np.float64), gamma, beta, eps)[0]
    assert_same(found, quantize_tokens(normal.astype(np.float32)))


@pytest.mark.parametrize("form", ["erf", "tanh"])
@pytest.mark.parametrize("width", WIDTHS)
def test_gelu_quantize_equals_its_steps(width, form):
    x = np.random.default_rng(width).normal(size=(5, width + 3)).astype(np.float32)
    expected = ops.gelu(x[:, :width].astype(np.float64), form)[0]
    before, found = x.copy(), make_tokens(5, width)
    gelu_quantize(x, form == "erf", width, found)
    np.testing.assert_array_equal(x[:, width:], before[:, width:])
    assert relative_error(x[:, :width], expected) < 1e-6
    assert_same(found, quantize_tokens(expected.astype(np.float32)))


def test_values_without_a_scale_are_refused():
    x = np.ones((2, 8), np.float32)
    x[1, 3] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        gelu_quantize(x, True, 8, make_tokens(2, 8))
