"""Activations of 8 bits: each token rounded, and the sum of its codes, in one pass.

Twin of `round_tokens` in panels.py. The rounded value sits in the low bits of x / s + 1.5 2^23.
"""

from typing import Any

import numpy as np

from tervit_np.kernels.exponential import F, float_to_bits
from tervit_np.kernels.fakequant import symmetric_step
from tervit_np.kernels.jit import kernel

ROUND = F(1.5 * 2**23)
ROUND_BITS = np.int32(np.float32(ROUND).view(np.int32))
LIMIT, _MOST = F(127), np.int32(127)
_ZERO = F(0)


@kernel(boundscheck=False)
def round_rows(x: Any, codes: Any, scale: Any, sums: Any) -> None:
    """x (M, I) -> codes int8 (M', I'), scale (M',), sums (M',); what is padding becomes 0."""
    rows = x.shape[0]
    for m in range(rows):
        step = symmetric_step(x[m], LIMIT)
        scale[m] = step
        sums[m] = round_row(x[m], step, codes[m])
    for m in range(rows, codes.shape[0]):
        scale[m], sums[m] = _ZERO, 0
        codes[m] = 0


@kernel(boundscheck=False)
def round_row(x: Any, step: Any, codes: Any) -> Any:
    """Round one token; return the sum of its codes."""
    total = np.int32(0)
    codes[:] = 0
    if step == _ZERO:
        return total
    for i in range(x.shape[0]):
        q = np.int32(float_to_bits(x[i] / step + ROUND) - ROUND_BITS)
        codes[i] = min(max(q, -_MOST), _MOST)  # beyond only where the step is denormal
    for i in range(x.shape[0]):  # a loop of its own: bytes and 32-bit sums make other vectors
        total = np.int32(total + np.int32(codes[i]))
    return total
