"""Gather the windows of a convolution, and add their gradients back.

Twin of ops/conv.py: the innermost loop copies the channels of one pixel.
"""

from typing import Any

import numpy as np

from tervit_np.compiled.exponential import F
from tervit_np.compiled.jit import kernel


@kernel()
def im2col(x: Any, size: int, stride: int, padding: int) -> Any:
    """(B, H, W, C) -> (B Ho Wo, size size C), zeros outside the image."""
    batch, height, width, channels = x.shape
    high = (height + 2 * padding - size) // stride + 1
    wide = (width + 2 * padding - size) // stride + 1
    columns = np.empty((batch * high * wide, size * size * channels), np.float32)
    row = 0
    for b in range(batch):
        for i in range(high):
            for j in range(wide):
                place = 0
                for r in range(size):
                    y = i * stride + r - padding
                    for c in range(size):
                        z = j * stride + c - padding
                        inside = 0 <= y < height and 0 <= z < width
                        for k in range(channels):
                            columns[row, place + k] = x[b, y, z, k] if inside else F(0)
                        place += channels
                row += 1
    return columns


@kernel()
def col2im(
    columns: Any,
    batch: int,
    height: int,
    width: int,
    channels: int,
    size: int,
    stride: int,
    padding: int,
) -> Any:
    """(B Ho Wo, size size C) -> (B, H, W, C): every value is added to its pixel."""
    high = (height + 2 * padding - size) // stride + 1
    wide = (width + 2 * padding - size) // stride + 1
    x = np.zeros((batch, height, width, channels), np.float32)
    row = 0
    for b in range(batch):
        for i in range(high):
            for j in range(wide):
                place = 0
                for r in range(size):
                    y = i * stride + r - padding
                    for c in range(size):
                        z = j * stride + c - padding
                        if 0 <= y < height and 0 <= z < width:
                            for k in range(channels):
                                x[b, y, z, k] += columns[row, place + k]
                        place += channels
                row += 1
    return x
