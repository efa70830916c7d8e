"""The two lowest rungs: the product as the mathematics says it, and why it is slow.

Both read codes of one byte, int8 (N, K).
"""

from typing import Any

import numpy as np

from tervit_np.compiled.jit import kernel


@kernel(boundscheck=False)
def loop(x: Any, codes: Any, out: Any) -> None:
    """Add or subtract: no product is needed, says the theory.  (M, K), (N, K) -> out int32 (M, N).

    None of the weights can be guessed, so a branch for each is mispredicted again and again. With
    AVX-512 the compiler replaces branches by masks, and still compares every weight twice and
    loads every input twice to add it or not.
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
def vector(x: Any, codes: Any, out: Any) -> None:
    """Multiply after all.  (M, K), (N, K) -> out int32 (M, N).

    Without a branch the compiler takes many inputs at a time. It widens bytes to 16 bits first, as
    no product of bytes is in its vocabulary, and loads both operands for each product.
    """
    for m in range(out.shape[0]):
        for n in range(out.shape[1]):
            total = np.int32(0)
            for k in range(codes.shape[1]):
                total = np.int32(total + np.int32(x[m, k]) * np.int32(codes[n, k]))
            out[m, n] = total
