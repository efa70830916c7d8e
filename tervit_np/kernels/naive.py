"""The two slowest compiled variants: the product as the formula has it, and why that is slow.

Both read codes of one byte, int8 (N, K).
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.jit import kernel


@kernel(boundscheck=False)
def loop(x: Array, codes: Array, out: Array) -> None:
    """Add or subtract instead of multiplying.  (M, K), (N, K) -> out int32 (M, N).

    A branch on a weight cannot be predicted, so a CPU mispredicts many of them. With AVX-512 the
    compiler replaces branches by masks, but still compares every weight twice, and loads every
    input twice, whether it is added or not.
    """
    for m in range(out.shape[0]):
        for n in range(out.shape[1]):
            total = np.int32(0)
            for k in range(codes.shape[1]):
                if codes[n, k] == 1:
                    total = np.int32(total + np.int32(x[m, k]))
                elif codes[n, k] == -1:
                    total = np.int32(total - np.int32(x[m, k]))
            out[m, n] = total


@kernel(boundscheck=False)
def vector(x: Array, codes: Array, out: Array) -> None:
    """Multiply, without branches.  (M, K), (N, K) -> out int32 (M, N).

    The compiler can now process many inputs at a time. It widens bytes to 16 bits first, since it
    does not use products of bytes, and loads both operands for each product.
    """
    for m in range(out.shape[0]):
        for n in range(out.shape[1]):
            total = np.int32(0)
            for k in range(codes.shape[1]):
                total = np.int32(total + np.int32(x[m, k]) * np.int32(codes[n, k]))
            out[m, n] = total
