"""Add a bias to every row, and its gradient: the sum of all rows.

Twin of two lines in ops/linear.py.
"""

from typing import Any

import numpy as np

from tervit_np.compiled.jit import REORDER, kernel


@kernel(fastmath=REORDER)
def add_bias_(y: Any, bias: Any) -> None:
    """y <- y + b, each row.  (M, N), (N,)."""
    for m in range(y.shape[0]):
        for i in range(y.shape[1]):
            y[m, i] += bias[i]


@kernel(fastmath=REORDER)
def column_sum(dy: Any) -> Any:
    """Sum of all rows.  (M, N) -> (N,).

    Rows are summed in groups of 64 and the groups added up, so that the error does not grow with M.
    """
    rows, width = dy.shape
    total, group = np.zeros(width, np.float32), np.empty(width, np.float32)
    for start in range(0, rows, 64):
        group[:] = 0
        for m in range(start, min(start + 64, rows)):
            for i in range(width):
                group[i] += dy[m, i]
        for i in range(width):
            total[i] += group[i]
    return total
