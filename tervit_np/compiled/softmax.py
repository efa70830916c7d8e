"""Softmax of rows, each in the nearest cache through all its steps.

Twin of ops/softmax.py.
"""

from typing import Any

import numpy as np

from tervit_np.compiled.exponential import ONE, F, bits_to_float, exp32, float_to_bits
from tervit_np.compiled.jit import REORDER, kernel


@kernel()
def ordered(bits: Any) -> Any:
    """Map a float's bits to an integer of the same order, and back: integer maxima vectorize."""
    return np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@kernel(fastmath=REORDER)
def softmax(x: Any, scale: float) -> Any:
    """y = exp(s x - max) / sum, each row.  (M, N) -> (M, N)."""
    y, s = np.empty_like(x), F(scale)
    for m in range(x.shape[0]):
        given, row = x[m], y[m]
        highest = np.int32(-(2**31))
        for i in range(row.size):
            highest = max(highest, ordered(float_to_bits(given[i])))
        top: Any = bits_to_float(ordered(highest))
        for i in range(row.size):
            row[i] = exp32(s * (given[i] - top))
        total = F(0)
        for i in range(row.size):
            total += row[i]
        inverse = ONE / total
        for i in range(row.size):
            row[i] *= inverse
    return y


@kernel(fastmath=REORDER)
def softmax_backward(dy: Any, y: Any, scale: float) -> Any:
    """dx = s y (dy - sum(dy y)), each row.  (M, N), (M, N) -> (M, N)."""
    dx, s = np.empty_like(dy), F(scale)
    for m in range(dy.shape[0]):
        d, p, row = dy[m], y[m], dx[m]
        along = F(0)
        for i in range(d.size):
            along += d[i] * p[i]
        for i in range(d.size):
            row[i] = s * p[i] * (d[i] - along)
    return dx
