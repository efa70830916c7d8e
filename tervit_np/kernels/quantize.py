"""Activations of 8 bits: each token rounded, and the sum of its codes.

Twin of `quantize_tokens` in panels.py. The rounded value sits in the low bits of x / s + 1.5 2^23.

Three loops in turn run over a few rows each: a row's largest value and its sum come out of the last
lanes late, and the processor begins with the next row meanwhile.
"""

from typing import Any

import numpy as np

from tervit_np.compiled.exponential import ONE, F, float_to_bits
from tervit_np.compiled.fakequant import symmetric_step
from tervit_np.compiled.jit import kernel

ROWS_PER_PASS = 4  # rows that pass one loop before they pass the next: the nearest cache holds them
ROUND = F(1.5 * 2**23)
ROUND_BITS = np.int32(np.float32(ROUND).view(np.int32))
LIMIT, _MOST = F(127), np.int32(127)
_ZERO = F(0)


@kernel(boundscheck=False)
def quantize_rows(x: Any, width: int, out: Any) -> None:
    """Round `width` columns of x (M, ...) -> tokens (M', I'); what is padding becomes 0."""
    rows = x.shape[0]
    for first in range(0, rows, ROWS_PER_PASS):
        quantize_some(x[first : first + ROWS_PER_PASS], width, first, out)
    for m in range(rows, out.q.shape[0]):
        out.scale[m], out.row_sums[m] = _ZERO, 0
        out.q[m] = 0


@kernel(boundscheck=False)
def quantize_some(x: Any, width: int, first: int, out: Any) -> None:
    """Round a few rows, (R, ...) -> tokens first..first + R."""
    for m in range(x.shape[0]):
        out.scale[first + m] = symmetric_step(x[m, :width], LIMIT)
    _round(x, width, first, out.scale, out.q)
    _add_up(x.shape[0], width, first, out.q, out.row_sums)


@kernel(boundscheck=False)
def _round(x: Any, width: int, first: int, scale: Any, codes: Any) -> None:
    for m in range(x.shape[0]):
        step = scale[first + m] if scale[first + m] > _ZERO else ONE
        for i in range(width):
            q = np.int32(float_to_bits(x[m, i] / step + ROUND) - ROUND_BITS)
            codes[first + m, i] = min(max(q, -_MOST), _MOST)  # beyond only in a denormal step
        codes[first + m, width:] = 0


@kernel(boundscheck=False)
def _add_up(rows: int, width: int, first: int, codes: Any, sums: Any) -> None:
    """Sum codes: a loop of its own, as bytes and 32-bit sums make other vectors."""
    for m in range(first, first + rows):
        total = np.int32(0)
        for i in range(width):
            total = np.int32(total + np.int32(codes[m, i]))
        sums[m] = total
