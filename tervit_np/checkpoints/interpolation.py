"""Bicubic interpolation of tables on a grid, as PyTorch does it (a = -0.75, corners not aligned).

    y_i = sum_k c(x_i - k) v_k       x_i = (i + 1/2) n / m - 1/2       indices outside are clamped

    c(t) = (a + 2) |t|^3 - (a + 3) t^2 + 1            |t| <= 1      (Keys 1981)
           a |t|^3 - 5 a t^2 + 8 a |t| - 4 a      1 < |t| < 2

The interpolation is separable and linear: one matrix for the rows, one for the columns.
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


def interpolation_matrix(old: int, new: int) -> Array:
    """Return the matrix that interpolates `old` values to `new`.  -> float64 (new, old)."""
    x = (np.arange(new) + 0.5) * old / new - 0.5
    first = np.floor(x).astype(int)
    matrix = np.zeros((new, old))
    for k in range(-1, 3):
        columns = np.clip(first + k, 0, old - 1)
        np.add.at(matrix, (np.arange(new), columns), cubic(x - (first + k)))
    return matrix


def resize_grid(grid: Array, side: int) -> Array:
    """Interpolate a square table of vectors.  (S, S, C) -> (side, side, C), the same dtype."""
    matrix = interpolation_matrix(len(grid), side)
    rows = np.tensordot(matrix, grid.astype(np.float64), (1, 0))
    both = np.tensordot(matrix, rows, (1, 1)).swapaxes(0, 1)
    return both.astype(grid.dtype)
