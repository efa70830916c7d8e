"""Windows of a map, their cyclic shift, and the attention mask of shifted windows.

    window_partition   (B, H, W, C) -> (B nW, w w, C), windows row by row, the batch outermost
    cyclic_shift       roll rows and columns by -s, so that the windows have other borders

Both permute elements, so their adjoints are their inverses: window_reverse, and a roll by +s.
After a roll, windows at the last row and column hold regions that were not neighbours; Liu et al.
(2021) add -100 to the scores between such regions.
"""

import numpy as np

from tervit_np.arrays import Array

MASKED = -100.0


def window_partition(x: Array, window: int) -> Array:
    """Cut a map into windows.  (B, H, W, C) -> (B nW, w w, C).

    Raises
    ------
    ValueError
        If the sides of the map are not multiples of `window`.
    """
    batch, height, width, channels = x.shape
    if height % window or width % window:
        raise ValueError(
            f"window_partition: a {height} x {width} map does not split into windows of {window}"
        )
    x = x.reshape(batch, height // window, window, width // window, window, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(-1, window * window, channels)


def window_reverse(windows: Array, shape: tuple[int, ...]) -> Array:
    """Put windows back into a map of `shape`; window_partition's backward.  -> (B, H, W, C)."""
    batch, height, width, channels = shape
    window = round(windows.shape[1] ** 0.5)
    x = windows.reshape(batch, height // window, width // window, window, window, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(shape)


def cyclic_shift(x: Array, shift_size: int) -> Array:
    """Roll rows and columns by -shift_size; its backward rolls by +shift_size.  (B, H, W, C)."""
    return x if shift_size == 0 else np.roll(x, (-shift_size, -shift_size), axis=(1, 2))


def shift_mask(height: int, width: int, window: int, shift_size: int) -> Array | None:
    """Return the mask that is added to the scores, None without a shift.  -> (nW, T, T)."""
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
