"""Patch merging's gather (Liu et al. 2021): 2 x 2 tokens become one token of four times the width.

The order is (row 0, column 0), (1, 0), (0, 1), (1, 1): down first, then across, as the official
weights expect. The gather only permutes elements, so its adjoint is its inverse.
"""

import numpy as np

from tervit_np.arrays import Array

_ORDER = ((0, 0), (1, 0), (0, 1), (1, 1))


def merge(x: Array) -> Array:
    """Gather 2 x 2 neighbours.  (B, H, W, C) -> (B, H/2, W/2, 4 C).

    Raises
    ------
    ValueError
        If a side of the map is odd.
    """
    if x.shape[1] % 2 or x.shape[2] % 2:
        raise ValueError(f"merge: a {x.shape[1]} x {x.shape[2]} map has an odd side")
    return np.concatenate([x[:, r::2, c::2] for r, c in _ORDER], axis=-1)


def merge_backward(dy: Array) -> Array:
    """Undo the gather.  (B, H/2, W/2, 4 C) -> dx (B, H, W, C)."""
    batch, height, width, channels = dy.shape
    dx = np.empty((batch, 2 * height, 2 * width, channels // 4), dy.dtype)
    for part, (r, c) in zip(np.split(dy, 4, axis=-1), _ORDER, strict=True):
        dx[:, r::2, c::2] = part
    return dx
