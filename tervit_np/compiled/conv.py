"""Gather the windows of a convolution as rows, and scatter their gradients back.

Twin of ops/conv.py: the innermost loop copies the channels of one pixel.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.exponential import F
from tervit_np.compiled.jit import kernel


@kernel()
def im2col(x: Array, size: int, stride: int, padding: int) -> Array:
    """(B, H, W, C) -> (B Ho Wo, size size C), zeros outside the image."""
    batch, height, width, channels = x.shape
    out_height = (height + 2 * padding - size) // stride + 1
    out_width = (width + 2 * padding - size) // stride + 1
    columns = np.empty((batch * out_height * out_width, size * size * channels), np.float32)
    row = 0
    for b in range(batch):
        for i in range(out_height):
            for j in range(out_width):
                column = 0
                for r in range(size):
                    h = i * stride + r - padding
                    for c in range(size):
                        w = j * stride + c - padding
                        inside = 0 <= h < height and 0 <= w < width
                        for k in range(channels):
                            columns[row, column + k] = x[b, h, w, k] if inside else F(0)
                        column += channels
                row += 1
    return columns


@kernel()
def col2im(
    columns: Array,
    batch: int,
    height: int,
    width: int,
    channels: int,
    size: int,
    stride: int,
    padding: int,
) -> Array:
    """(B Ho Wo, size size C) -> (B, H, W, C): add every value to its pixel."""
    out_height = (height + 2 * padding - size) // stride + 1
    out_width = (width + 2 * padding - size) // stride + 1
    x = np.zeros((batch, height, width, channels), np.float32)
    row = 0
    for b in range(batch):
        for i in range(out_height):
            for j in range(out_width):
                column = 0
                for r in range(size):
                    h = i * stride + r - padding
                    for c in range(size):
                        w = j * stride + c - padding
                        if 0 <= h < height and 0 <= w < width:
                            for k in range(channels):
                                x[b, h, w, k] += columns[row, column + k]
                        column += channels
                row += 1
    return x
