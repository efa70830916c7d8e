"""Relative position bias (Liu et al. 2021, eq. 4): a number learned for each relative position.

    bias[h, i, j] = table[(y_i - y_j + w - 1) (2w - 1) + (x_i - x_j + w - 1), h]

Many pairs of tokens have the same relative position, so the table's gradient is a sum over pairs:
plain assignment would keep one pair of each relative position and lose the rest.
"""

import numpy as np

from tervit_np.arrays import Array


def relative_position_index(window: int) -> Array:
    """Return the row of the table for every pair of tokens.  -> integers (w w, w w)."""
    line = np.arange(window)
    y, x = (axis.ravel() for axis in np.meshgrid(line, line, indexing="ij"))
    rows = y[:, None] - y[None, :] + window - 1
    columns = x[:, None] - x[None, :] + window - 1
    index: Array = rows * (2 * window - 1) + columns
    return index


def relative_bias(table: Array, index: Array) -> Array:
    """Look the bias up.  ((2w-1)^2, H), (T, T) -> (H, T, T)."""
    return np.ascontiguousarray(table[index].transpose(2, 0, 1))


def relative_bias_backward(dbias: Array, index: Array, rows: int) -> Array:
    """Undo `bias = table[index]` by adding.  (H, T, T) -> dtable (rows, H)."""
    flat = index.ravel()
    each = [np.bincount(flat, d.ravel().astype(np.float64), rows) for d in dbias]
    return np.stack(each, axis=1).astype(dbias.dtype)
