"""Convolution as a linear layer on overlapping patches: im2col and its adjoint col2im.

    columns[b, i, j] = (x[b, s i + r - p, s j + c - p] over r, c < k and all channels)
    y = columns W^T + b

Maps are channels-last, (B, H, W, C), so that each row of `columns` is copied in contiguous runs.
col2im adds each element of `columns` to the pixel it came from: a pixel in several windows gets the
sum of their gradients, which plain assignment would lose.
"""

import numpy as np

from tervit_np.arrays import Array, require_shape, rows
from tervit_np.dispatch import compiled


def im2col(x: Array, kernel: int, stride: int, padding: int) -> Array:
    """Gather every window.  (B, H, W, C) -> (B, Ho, Wo, k k C), ordered (row, column, channel).

    Raises
    ------
    ValueError
        If the padded map is smaller than the kernel.
    """
    shape = _columns_shape(x.shape, kernel, stride, padding)
    if (compiled_ops := compiled(x)) is not None:
        columns: Array = compiled_ops.im2col(np.ascontiguousarray(x), kernel, stride, padding)
        return columns.reshape(shape)
    batch, out_h, out_w, _ = shape
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    columns = np.empty((batch, out_h, out_w, kernel, kernel, x.shape[3]), x.dtype)
    for r in range(kernel):
        for c in range(kernel):
            y_slice, x_slice = _strided(r, out_h, stride), _strided(c, out_w, stride)
            columns[:, :, :, r, c] = padded[:, y_slice, x_slice]
    return columns.reshape(shape)


def col2im(
    dcolumns: Array, shape: tuple[int, ...], kernel: int, stride: int, padding: int
) -> Array:
    """Undo im2col's gather by adding.  (B, Ho, Wo, k k C) -> dx of `shape` (B, H, W, C).

    Raises
    ------
    ValueError
        If `dcolumns` is not the gradient of columns of such a map.
    """
    require_shape("col2im: dcolumns", dcolumns, _columns_shape(shape, kernel, stride, padding))
    batch, height, width, channels = shape
    out_h, out_w = dcolumns.shape[1:3]
    if (compiled_ops := compiled(dcolumns)) is not None:
        flat = rows(dcolumns)
        dx: Array = compiled_ops.col2im(flat, *shape, kernel, stride, padding)
        return dx
    d = dcolumns.reshape(batch, out_h, out_w, kernel, kernel, channels)
    size = (batch, height + 2 * padding, width + 2 * padding, channels)
    padded = np.zeros(size, dcolumns.dtype)
    for r in range(kernel):
        for c in range(kernel):
            y_slice, x_slice = _strided(r, out_h, stride), _strided(c, out_w, stride)
            padded[:, y_slice, x_slice] += d[:, :, :, r, c]
    return padded[:, padding : padding + height, padding : padding + width]


def _columns_shape(
    shape: tuple[int, ...], kernel: int, stride: int, padding: int
) -> tuple[int, ...]:
    """Return (B, Ho, Wo, k k C) for a map (B, H, W, C)."""
    batch, height, width, channels = shape
    if min(height, width) + 2 * padding < kernel:
        raise ValueError(
            f"im2col: a {height} x {width} map with {padding} pixels around it is smaller than the "
            f"kernel, {kernel} x {kernel}"
        )
    out_h, out_w = ((n + 2 * padding - kernel) // stride + 1 for n in (height, width))
    return batch, out_h, out_w, kernel * kernel * channels


def _strided(first: int, outputs: int, stride: int) -> slice:
    """Select the rows (or columns) that kernel row (or column) `first` reads, one per output."""
    return slice(first, first + stride * (outputs - 1) + 1, stride)
