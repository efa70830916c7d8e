"""Softmax of rows, each of which stays in the L1 cache through all steps.

Twin of ops/softmax.py.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.exponential import ONE, F, bits_to_float, exp32, float_to_bits
from tervit_np.compiled.jit import REORDER, kernel


@kernel()
def ordered(bits: np.int32) -> np.int32:
    """Map a float's bits to an integer with the same order, and back; integer maxima vectorize."""
    return np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@kernel(fastmath=REORDER)
def softmax(x: Array, scale: float) -> Array:
    """y = exp(s x - max) / sum, each row.  (M, N) -> (M, N)."""
    y, s = np.empty_like(x), F(scale)
    for m in range(x.shape[0]):
        scores, row = x[m], y[m]
        highest = np.int32(-(2**31))
        for i in range(row.size):
            highest = max(highest, ordered(float_to_bits(scores[i])))
        largest = bits_to_float(ordered(highest))
        for i in range(row.size):
            row[i] = exp32(s * (scores[i] - largest))
        total = F(0)
        for i in range(row.size):
            total += row[i]
        inv_sum = ONE / total
        for i in range(row.size):
            row[i] *= inv_sum
    return y


@kernel(fastmath=REORDER)
def softmax_backward(dy: Array, y: Array, scale: float) -> Array:
    """dx = s y (dy - sum(dy y)), each row.  (M, N), (M, N) -> (M, N)."""
    dx, s = np.empty_like(dy), F(scale)
    for m in range(dy.shape[0]):
        d, p, row = dy[m], y[m], dx[m]
        dot = F(0)
        for i in range(d.size):
            dot += d[i] * p[i]
        for i in range(d.size):
            row[i] = s * p[i] * (d[i] - dot)
    return dx
