"""Bicubic interpolation of tables on a grid, as PyTorch does it (a = -0.75, corners not aligned).

    y_i = sum_k c(x_i - k) v_k       x_i = (i + 1/2) n / m - 1/2       indices outside are clamped

    c(t) = (a + 2) |t|^3 - (a + 3) t^2 + 1            |t| <= 1      (Keys 1981)
           a |t|^3 - 5 a t^2 + 8 a |t| - 4 a      1 < |t| < 2

The interpolation is separable and linear: first along the rows, then along the columns. Four terms
are added in the order of k, so that all processors get the same bits; a matrix product would not.
"""

import numpy as np

from tervit_np.arrays import Array

_A = -0.75


def cubic(t: Array) -> Array:
    """Evaluate the kernel c(t)."""
    t = np.abs(t)
    near = ((_A + 2) * t - (_A + 3)) * t * t + 1
    far = _A * (((t - 5) * t + 8) * t - 4)
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def resize_rows(table: Array, new: int) -> Array:
    """Interpolate along the first axis.  (n, ...) -> (new, ...)."""
    old = len(table)
    x = (np.arange(new) + 0.5) * old / new - 0.5
    first = np.floor(x).astype(int)
    resized = np.zeros((new, *table.shape[1:]))
    for k in range(-1, 3):
        weight = cubic(x - (first + k)).reshape(-1, *[1] * (table.ndim - 1))
        resized += weight * table[np.clip(first + k, 0, old - 1)]
    return resized


def resize_grid(grid: Array, side: int) -> Array:
    """Interpolate a square table of vectors.  (S, S, C) -> (side, side, C), the same dtype."""
    rows = resize_rows(grid.astype(np.float64), side)
    both = resize_rows(rows.swapaxes(0, 1), side).swapaxes(0, 1)
    return both.astype(grid.dtype)
