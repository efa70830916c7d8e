"""Windows of a map, the cyclic shift between them, and what a shifted window must not see.

    partition   (B, H, W, C) -> (B nW, w w, C), windows row by row, the batch outermost
    shift       roll rows and columns by -s, so that the next partition cuts elsewhere

Both only move elements: the adjoint of partition is its inverse, that of a roll the opposite roll.
After a roll, a window at the seam holds regions that were not neighbours; Liu et al. (2021) add
-100 to the scores between them.
"""

import numpy as np

from tervit_np.arrays import Array

MASKED = -100.0


def window_partition(x: Array, window: int) -> Array:
    """Cut a map into windows.  (B, H, W, C) -> (B nW, w w, C).

    Raises
    ------
    ValueError
        If the map is not a whole number of windows.
    """
    batch, height, width, channels = x.shape
    if height % window or width % window:
        raise ValueError(f"partition: a {height} x {width} map is not whole windows of {window}")
    cut = x.reshape(batch, height // window, window, width // window, window, channels)
    return cut.transpose(0, 1, 3, 2, 4, 5).reshape(-1, window * window, channels)


def window_reverse(windows: Array, shape: tuple[int, ...]) -> Array:
    """Put windows back into a map of `shape`; also partition's backward.  -> (B, H, W, C)."""
    batch, height, width, channels = shape
    window = round(windows.shape[1] ** 0.5)
    cut = windows.reshape(batch, height // window, width // window, window, window, channels)
    return cut.transpose(0, 1, 3, 2, 4, 5).reshape(shape)


def cyclic_shift(x: Array, shift_size: int) -> Array:
    """Roll rows and columns by -shift_size; its backward rolls by +shift_size.  (B, H, W, C)."""
    return x if shift_size == 0 else np.roll(x, (-shift_size, -shift_size), axis=(1, 2))


def shift_mask(height: int, width: int, window: int, shift_size: int) -> Array | None:
    """Return what is added to the scores of a shifted map, None without a shift.  -> (nW, T, T)."""
    if shift_size == 0:
        return None
    regions = np.zeros((1, height, width, 1))
    number = 0
    for rows in (slice(0, -window), slice(-window, -shift_size), slice(-shift_size, None)):
        for columns in (slice(0, -window), slice(-window, -shift_size), slice(-shift_size, None)):
            regions[:, rows, columns] = number
            number += 1
    region = window_partition(regions, window)[:, :, 0]
    return np.where(region[:, :, None] == region[:, None, :], 0.0, MASKED)
