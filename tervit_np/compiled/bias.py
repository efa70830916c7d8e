"""Add a bias to every row; its gradient is the sum of all rows.

Twin of two lines in ops/linear.py.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.jit import REORDER, kernel


@kernel(fastmath=REORDER)
def add_bias_(y: Array, bias: Array) -> None:
    """y += b, in each row.  (M, N), (N,)."""
    for m in range(y.shape[0]):
        for i in range(y.shape[1]):
            y[m, i] += bias[i]


@kernel(fastmath=REORDER)
def column_sum(dy: Array) -> Array:
    """Sum all rows.  (M, N) -> (N,).

    Chunks of 64 rows are summed first, then their sums, so that rounding errors grow more slowly.
    """
    rows, width = dy.shape
    total, chunk = np.zeros(width, np.float32), np.empty(width, np.float32)
    for start in range(0, rows, 64):
        chunk[:] = 0
        for m in range(start, min(start + 64, rows)):
            for i in range(width):
                chunk[i] += dy[m, i]
        for i in range(width):
            total[i] += chunk[i]
    return total
