"""The gradient of a bias: the sum of all rows.

Twin of a line in ops/linear.py.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.jit import kernel


@kernel()
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
