"""Softmax of rows, in place, one row at a time while it is in the nearest cache.

Twin of ops/softmax.py.
"""

from typing import Any

from tervit_np.kernels.exponential import ONE, F, exp32
from tervit_np.kernels.jit import REORDER, kernel


@kernel(fastmath=REORDER)
def softmax_(x: Any, scale: float) -> None:
    """x <- exp(s x - max) / sum, each row.  (M, N)."""
    s = F(scale)
    for m in range(x.shape[0]):
        row = x[m]
        top = row[0]
        for i in range(row.size):
            top = max(top, row[i])
        for i in range(row.size):
            row[i] = exp32(s * (row[i] - top))
        total = F(0)
        for i in range(row.size):
            total += row[i]
        inverse = ONE / total
        for i in range(row.size):
            row[i] *= inverse


@kernel(fastmath=REORDER)
def softmax_backward_(dy: Any, y: Any, scale: float) -> None:
    """dy <- s y (dy - sum(dy y)), each row.  (M, N), (M, N)."""
    s = F(scale)
    for m in range(dy.shape[0]):
        d, p = dy[m], y[m]
        along = F(0)
        for i in range(d.size):
            along += d[i] * p[i]
        for i in range(d.size):
            d[i] = s * p[i] * (d[i] - along)
