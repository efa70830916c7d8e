"""Softmax of rows, each of which stays in the L1 cache through all steps.

Twin of ops/softmax.py.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.arithmetic import address_of
from tervit_np.compiled.exponential import ONE, F, bits_to_float, exp32, float_to_bits
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.row_sums import row_dot, row_sum

ROWS_PER_PASS = 4  # a sum waits for stores, so those of other rows come between


@kernel()
def ordered(bits: np.int32) -> np.int32:
    """Map a float's bits to an integer with the same order, and back; integer maxima vectorize."""
    return np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@kernel()
def softmax(x: Array, scale: float) -> Array:
    """y = exp(s x - max) / sum, each row.  (M, N) -> (M, N)."""
    y = np.empty_like(x)
    softmax_rows(x, F(scale), y)
    return y


@kernel()
def softmax_rows(x: Array, scale: np.float32, y: Array) -> None:
    """Write the softmax of each row to y.  (M, N) -> (M, N).

    y is not x: the compiler's vector loop is for arrays that do not overlap.
    """
    rows, width = x.shape
    for first in range(0, rows, ROWS_PER_PASS):
        stop = min(first + ROWS_PER_PASS, rows)
        for m in range(first, stop):
            highest = np.int32(-(2**31))
            for i in range(width):
                highest = max(highest, ordered(float_to_bits(x[m, i])))
            largest = bits_to_float(ordered(highest))
            for i in range(width):
                y[m, i] = exp32(scale * (x[m, i] - largest))
        for m in range(first, stop):
            inv_sum = ONE / row_sum(address_of(y) + 4 * m * width, width)
            for i in range(width):
                y[m, i] *= inv_sum


@kernel()
def softmax_backward(dy: Array, y: Array, scale: float) -> Array:
    """dx = s y (dy - sum(dy y)), each row.  (M, N), (M, N) -> (M, N)."""
    dx = np.empty_like(dy)
    softmax_rows_backward(dy, y, F(scale), dx)
    return dx


@kernel()
def softmax_rows_backward(dy: Array, y: Array, scale: np.float32, dx: Array) -> None:
    """Write dx, which is not dy.  (M, N), (M, N) -> (M, N)."""
    rows, width = dy.shape
    for m in range(rows):
        first = 4 * m * width
        dot = row_dot(address_of(dy) + first, address_of(y) + first, width)
        for i in range(width):
            dx[m, i] = scale * y[m, i] * (dy[m, i] - dot)
