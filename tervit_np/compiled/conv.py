"""Gather the windows of a convolution as rows, and scatter their gradients back.

    columns[(b, i, j), (r, c, k)] = x[b, s i + r - p, s j + c - p, k]        r, c < size

Twin of ops/conv.py. The pixels of one row of a window are neighbours in memory, with all their
channels: the innermost loop copies such a run, or adds it.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.exponential import F
from tervit_np.compiled.jit import kernel


@kernel()
def im2col(x: Array, size: int, stride: int, padding: int) -> Array:
    """(B, H, W, C) -> (B Ho Wo, size size C), zeros outside the image."""
    batch, height, width, channels = x.shape
    out_height, out_width = outputs(height, width, size, stride, padding)
    run = size * channels
    columns = np.empty((batch * out_height * out_width, size * run), np.float32)
    lines, row = x.reshape(batch, height, width * channels), 0
    for b in range(batch):
        for i in range(out_height):
            for j in range(out_width):
                left = j * stride - padding
                start, stop = part_inside(left, size, width, channels)
                for r in range(size):
                    h, window = i * stride + r - padding, columns[row, r * run : (r + 1) * run]
                    if not 0 <= h < height:
                        window[:] = F(0)
                        continue
                    window[:start] = F(0)
                    window[stop:] = F(0)
                    inside = window[start:stop]
                    line = lines[b, h, left * channels + start : left * channels + stop]
                    for k in range(len(inside)):
                        inside[k] = line[k]
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
    out_height, out_width = outputs(height, width, size, stride, padding)
    run = size * channels
    lines, row = np.zeros((batch, height, width * channels), np.float32), 0
    for b in range(batch):
        for i in range(out_height):
            for j in range(out_width):
                left = j * stride - padding
                start, stop = part_inside(left, size, width, channels)
                for r in range(size):
                    h = i * stride + r - padding
                    if not 0 <= h < height:
                        continue
                    inside = columns[row, r * run + start : r * run + stop]
                    line = lines[b, h, left * channels + start : left * channels + stop]
                    for k in range(len(inside)):
                        line[k] += inside[k]
                row += 1
    return lines.reshape(batch, height, width, channels)


@kernel()
def part_inside(left: int, size: int, width: int, channels: int) -> tuple[int, int]:
    """Return which numbers of a row of a window that begins at pixel `left` are in the image."""
    return max(-left, 0) * channels, max(min(width - left, size), 0) * channels


@kernel()
def outputs(height: int, width: int, size: int, stride: int, padding: int) -> tuple[int, int]:
    """Return how many windows an image has along its height and its width."""
    return (height + 2 * padding - size) // stride + 1, (width + 2 * padding - size) // stride + 1
