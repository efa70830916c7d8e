"""What happens between two integer products, in one pass over each token.

    residual, LayerNorm, rounding      x += branch,  q = round(LN(x) / s)
    GELU, rounding                     q = round(gelu(x) / s)
    rounding alone                     q = round(x / s)          (tokens.py)

Separate operators would write each result to memory and read it again; here a token stays in the
nearest cache until it is bytes.
"""

from typing import Any

import numpy as np

from tervit_np.kernels.exponential import ONE, F
from tervit_np.kernels.fakequant import symmetric_step
from tervit_np.kernels.gaussian import cumulative
from tervit_np.kernels.gelu import tanh_gate
from tervit_np.kernels.jit import REORDER, kernel
from tervit_np.kernels.tokens import LIMIT, round_row


@kernel(boundscheck=False)
def add_normalize_round(x: Any, branch: Any, norm: Any, eps: float, out: Any) -> None:
    """x += branch, then LayerNorm and rounding.  (M, D), (M, D'), Norm -> tokens (M, I).

    The columns of `branch` beyond D are padding.
    """
    row = np.empty(x.shape[1], np.float32)
    for m in range(x.shape[0]):
        _add_normalize(x[m], branch[m], norm.gain, norm.offset, F(eps), row)
        step = symmetric_step(row, LIMIT)
        out.scale[m] = step
        out.sums[m] = round_row(row, step, out.codes[m])


@kernel(fastmath=REORDER, boundscheck=False)
def _add_normalize(x: Any, branch: Any, gain: Any, offset: Any, eps: Any, out: Any) -> None:
    """One token of the residual and its LayerNorm (ops/layernorm.py)."""
    share = ONE / F(x.shape[0])
    total, squares = F(0), F(0)
    for i in range(x.shape[0]):
        x[i] += branch[i]
        total += x[i]
    mean = total * share
    for i in range(x.shape[0]):
        centred = x[i] - mean
        squares += centred * centred
    rstd = ONE / np.sqrt(squares * share + eps)
    for i in range(x.shape[0]):
        out[i] = (x[i] - mean) * rstd * gain[i] + offset[i]


@kernel(boundscheck=False)
def gelu_round(x: Any, exact: bool, width: int, out: Any) -> None:
    """GELU in place, then rounding.  (M, I'), of which `width` columns count -> tokens (M, I)."""
    for m in range(x.shape[0]):
        row = x[m, :width]
        if exact:
            _gelu(row)
        else:
            _gelu_tanh(row)
        step = symmetric_step(row, LIMIT)
        out.scale[m] = step
        out.sums[m] = round_row(row, step, out.codes[m])


@kernel(fastmath={"contract"}, boundscheck=False)
def _gelu(row: Any) -> None:
    for i in range(row.shape[0]):
        row[i] *= cumulative(row[i])


@kernel(fastmath={"contract"}, boundscheck=False)
def _gelu_tanh(row: Any) -> None:
    for i in range(row.shape[0]):
        row[i] *= tanh_gate(row[i])
