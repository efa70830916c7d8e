"""What happens between two integer products, in one pass over a few tokens at a time.

    residual, LayerNorm, rounding      x += branch,  q = round(LN(x) / s)
    GELU, rounding                     q = round(gelu(x) / s)
    rounding alone                     q = round(x / s)          (tokens.py)

Separate operators would write each result to memory and read it again; here tokens stay in the
nearest cache until they are bytes.
"""

from typing import Any

import numpy as np

from tervit_np.compiled.exponential import ONE, F
from tervit_np.compiled.gaussian import cumulative
from tervit_np.compiled.gelu import tanh_gate
from tervit_np.compiled.jit import REORDER, kernel
from tervit_np.kernels.quantize import ROWS_PER_PASS, quantize_some


@kernel(boundscheck=False)
def residual_layernorm_quantize(x: Any, branch: Any, norm: Any, eps: float, out: Any) -> None:
    """x += branch, then LayerNorm and rounding.  (M, D), (M, D'), Norm -> tokens (M, I).

    The columns of `branch` beyond D are padding.
    """
    width = x.shape[1]
    normal = np.empty((ROWS_PER_PASS, width), np.float32)
    mean, rstd = np.empty(ROWS_PER_PASS, np.float32), np.empty(ROWS_PER_PASS, np.float32)
    for first in range(0, x.shape[0], ROWS_PER_PASS):
        rows = min(ROWS_PER_PASS, x.shape[0] - first)
        _add(x[first : first + rows], branch[first : first + rows], mean)
        _spread(x[first : first + rows], mean, F(eps), rstd)
        _normalize(x[first : first + rows], mean, rstd, norm.gain, norm.offset, normal)
        quantize_some(normal[:rows], width, first, out)


@kernel(fastmath=REORDER, boundscheck=False)
def _add(x: Any, branch: Any, mean: Any) -> None:
    """Add the branch; find each token's mean (ops/layernorm.py)."""
    share = ONE / F(x.shape[1])
    for m in range(x.shape[0]):
        total = F(0)
        for i in range(x.shape[1]):
            value = x[m, i] + branch[m, i]
            x[m, i] = value
            total += value
        mean[m] = total * share


@kernel(fastmath=REORDER, boundscheck=False)
def _spread(x: Any, mean: Any, eps: Any, rstd: Any) -> None:
    """Find one over each token's standard deviation."""
    share = ONE / F(x.shape[1])
    for m in range(x.shape[0]):
        middle, squares = mean[m], F(0)
        for i in range(x.shape[1]):
            centred = x[m, i] - middle
            squares += centred * centred
        rstd[m] = ONE / np.sqrt(squares * share + eps)


@kernel(fastmath=REORDER, boundscheck=False)
def _normalize(x: Any, mean: Any, rstd: Any, gain: Any, offset: Any, out: Any) -> None:
    for m in range(x.shape[0]):
        middle, factor = mean[m], rstd[m]
        for i in range(x.shape[1]):
            out[m, i] = (x[m, i] - middle) * factor * gain[i] + offset[i]


@kernel(boundscheck=False)
def gelu_quantize(x: Any, exact: bool, width: int, out: Any) -> None:
    """GELU in place, then rounding.  (M, I'), of which `width` columns count -> tokens (M, I)."""
    for first in range(0, x.shape[0], ROWS_PER_PASS):
        some = x[first : first + ROWS_PER_PASS]
        for m in range(some.shape[0]):
            if exact:
                _gelu(some[m, :width])
            else:
                _gelu_tanh(some[m, :width])
        quantize_some(some, width, first, out)


@kernel(fastmath={"contract"}, boundscheck=False)
def _gelu(row: Any) -> None:
    for i in range(row.shape[0]):
        row[i] *= cumulative(row[i])


@kernel(fastmath={"contract"}, boundscheck=False)
def _gelu_tanh(row: Any) -> None:
    for i in range(row.shape[0]):
        row[i] *= tanh_gate(row[i])
