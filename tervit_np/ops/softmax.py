"""Softmax over the last axis.

y_i = exp(x_i) / sum_j exp(x_j)

Its Jacobian is diag(y) - y y^T, so with s = sum_j dy_j y_j

    dL/dx_i = y_i (dy_i - s)

and every row of dL/dx sums to zero: adding a constant to a row of x changes nothing.
"""

import numpy as np

from tervit_np.arrays import Array, require_shape, rows
from tervit_np.dispatch import compiled


def softmax(x: Array, scale: float = 1.0) -> tuple[Array, Array]:
    """Softmax of `scale * x`; the cache is the output itself.  (..., N) -> (..., N).

    The NumPy lines need a finite `scale * x`: beyond 3.4e38 in float32 the result is NaN.
    """
    if scale >= 0 and (compiled_ops := compiled(x)) is not None:  # its largest x has the largest y
        y: Array = compiled_ops.softmax(rows(x), scale).reshape(x.shape)
        return y, y
    if not x.size:  # rows without numbers have no largest one
        return x, x
    scale = float(scale)  # a np.float64 would turn float32 into float64
    # exercise softmax: y, the softmax of each row of scale x; return it twice
    z = x * scale
    y = np.exp(z - z.max(axis=-1, keepdims=True))  # at most 1: exp never overflows
    y /= y.sum(axis=-1, keepdims=True)
    return y, y


def softmax_backward(dy: Array, y: Array, scale: float = 1.0) -> Array:
    """Undo `y = softmax(scale * x)`.  (..., N), (..., N) -> dx (..., N).

    Raises
    ------
    ValueError
        If `dy` does not have the shape of y.
    """
    require_shape("softmax_backward: dy", dy, y.shape)
    if (compiled_ops := compiled(dy, y)) is not None:
        dx: Array = compiled_ops.softmax_backward(rows(dy), rows(y), scale).reshape(dy.shape)
        return dx
    scale = float(scale)
    # exercise softmax_backward: dx from dy, y and scale
    along_y = (dy * y).sum(axis=-1, keepdims=True)
    dx = scale * y * (dy - along_y)
    return dx
