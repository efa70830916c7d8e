"""The steps between two integer products, fused: a few tokens at a time, in one pass.

    residual_layernorm_quantize      x += branch,  q = round(LN(x) / s)
    gelu_quantize                    q = round(gelu(x) / s)
    quantize_rows (quantize.py)      q = round(x / s)

Separate operators would write each intermediate result to memory and read it back. Here it stays in
the L1 cache until it has become 8-bit integers.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.arithmetic import address_of, fma
from tervit_np.compiled.exponential import ONE, F
from tervit_np.compiled.gelu import gelu_erf_of, gelu_tanh_of
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.row_sums import row_squares, row_sum
from tervit_np.kernels.panels import QuantizedTokens
from tervit_np.kernels.quantize import ROWS_PER_PASS, quantize_pass


@kernel(boundscheck=False)
def residual_layernorm_quantize(
    x: Array,
    branch: Array,
    gamma: Array,
    beta: Array,
    eps: float,
    input_scale: float,
    out: QuantizedTokens,
) -> None:
    """x += branch, q = round(LN(x) / s).  (M, D), (M, D'), (D,), (D,) -> tokens (M, I).

    The columns of `branch` beyond D are padding. `input_scale` is s, or 0 for one of each token.
    """
    dim = x.shape[1]
    normed = np.empty((ROWS_PER_PASS, dim), np.float32)
    mean, rstd = np.empty(ROWS_PER_PASS, np.float32), np.empty(ROWS_PER_PASS, np.float32)
    for start in range(0, x.shape[0], ROWS_PER_PASS):
        rows = x[start : start + ROWS_PER_PASS]
        _add_branch(rows, branch[start : start + ROWS_PER_PASS], mean)
        _reciprocal_std(rows, mean, F(eps), rstd)
        _normalize(rows, mean, rstd, gamma, beta, normed)
        quantize_pass(normed[: rows.shape[0]], dim, input_scale, start, out)


@kernel(boundscheck=False)
def _add_branch(x: Array, branch: Array, mean: Array) -> None:
    """x += branch,  mean = sum(x) / D.  (R, D), (R, D') -> mean (R,)."""
    inv_dim = ONE / F(x.shape[1])
    rows, dim = x.shape
    for m in range(rows):
        for i in range(dim):
            x[m, i] += branch[m, i]
    for m in range(rows):
        mean[m] = row_sum(address_of(x) + 4 * m * dim, dim) * inv_dim


@kernel(boundscheck=False)
def _reciprocal_std(x: Array, mean: Array, eps: np.float32, rstd: Array) -> None:
    """rstd = 1 / sqrt(var + eps).  (R, D), (R,) -> rstd (R,)."""
    inv_dim = ONE / F(x.shape[1])
    for m in range(x.shape[0]):
        row = address_of(x) + 4 * m * x.shape[1]
        squares = row_squares(row, mean[m], x.shape[1])
        rstd[m] = ONE / np.sqrt(fma(squares, inv_dim, eps))


@kernel(boundscheck=False)
def _normalize(x: Array, mean: Array, rstd: Array, gamma: Array, beta: Array, out: Array) -> None:
    """out = (x - mean) rstd gamma + beta.  (R, D), (R,), (R,), (D,), (D,) -> out (R, D)."""
    for m in range(x.shape[0]):
        row_mean, row_rstd = mean[m], rstd[m]
        for i in range(x.shape[1]):
            out[m, i] = fma((x[m, i] - row_mean) * row_rstd, gamma[i], beta[i])


@kernel(boundscheck=False)
def gelu_quantize(
    x: Array, gelu_erf: bool, inputs: int, input_scale: float, out: QuantizedTokens
) -> None:
    """x = gelu(x) in place, then q = round(x / s).  (M, I'), first `inputs` columns -> tokens."""
    for start in range(0, x.shape[0], ROWS_PER_PASS):
        rows = x[start : start + ROWS_PER_PASS]
        for m in range(rows.shape[0]):
            if gelu_erf:
                _gelu_erf(rows[m, :inputs])
            else:
                _gelu_tanh(rows[m, :inputs])
        quantize_pass(rows, inputs, input_scale, start, out)


@kernel(boundscheck=False)
def _gelu_erf(row: Array) -> None:
    """x = x Phi(x), in place.  (I,)."""
    for i in range(row.shape[0]):
        row[i] = gelu_erf_of(row[i])


@kernel(boundscheck=False)
def _gelu_tanh(row: Array) -> None:
    """x = x (1 + tanh u) / 2, in place, with u as in ops/gelu.py.  (I,)."""
    for i in range(row.shape[0]):
        row[i] = gelu_tanh_of(row[i])
