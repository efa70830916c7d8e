"""Convolution as a linear layer on overlapping patches: im2col and its adjoint col2im.

    columns[b, i, j] = (x[b, s i + r - p, s j + c - p] over r, c < k and all channels)
    y = columns W^T + b

Maps are channels-last, (B, H, W, C), so that a row of `columns` copies whole runs of memory. col2im
adds each column element back to the pixel it came from: a pixel seen by several windows gets the
sum of their gradients, which plain assignment would lose.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.dispatch import compiled


def im2col(x: Array, kernel: int, stride: int, padding: int) -> Array:
    """Gather every window.  (B, H, W, C) -> (B, Ho, Wo, k k C), ordered (row, column, channel)."""
    batch, height, width, channels = x.shape
    high, wide = (_outputs(n, kernel, stride, padding) for n in (height, width))
    if (fast := compiled(x)) is not None:
        columns: Array = fast.im2col(np.ascontiguousarray(x), kernel, stride, padding)
        return columns.reshape(batch, high, wide, -1)
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    columns = np.empty((batch, high, wide, kernel, kernel, channels), x.dtype)
    for r in range(kernel):
        for c in range(kernel):
            columns[:, :, :, r, c] = padded[:, _taps(r, high, stride)][:, :, _taps(c, wide, stride)]
    return columns.reshape(batch, high, wide, -1)


def col2im(
    dcolumns: Array, shape: tuple[int, ...], kernel: int, stride: int, padding: int
) -> Array:
    """Undo im2col's gather by adding back.  (B, Ho, Wo, k k C) -> dx of `shape` (B, H, W, C)."""
    batch, height, width, channels = shape
    high, wide = dcolumns.shape[1:3]
    if (fast := compiled(dcolumns)) is not None:
        flat = np.ascontiguousarray(dcolumns).reshape(batch * high * wide, -1)
        dx: Array = fast.col2im(flat, batch, height, width, channels, kernel, stride, padding)
        return dx
    d = dcolumns.reshape(batch, high, wide, kernel, kernel, channels)
    size = (batch, height + 2 * padding, width + 2 * padding, channels)
    padded = np.zeros(size, dcolumns.dtype)
    for r in range(kernel):
        for c in range(kernel):
            padded[:, _taps(r, high, stride), _taps(c, wide, stride)] += d[:, :, :, r, c]
    return padded[:, padding : padding + height, padding : padding + width]


def _outputs(size: int, kernel: int, stride: int, padding: int) -> int:
    return (size + 2 * padding - kernel) // stride + 1


def _taps(offset: int, count: int, stride: int) -> slice:
    """Positions that kernel row (or column) `offset` sees: one for each output."""
    return slice(offset, offset + stride * (count - 1) + 1, stride)
