"""Ternary rows into panels, as training needs it: anew in each step.

Twin of `pack` in panels.py, from the rounded weights themselves: the sign is the code, the largest
magnitude of a row its scale.
"""

from typing import Any

import numpy as np

from tervit_np.compiled.aligned import zero_bytes
from tervit_np.compiled.exponential import F
from tervit_np.compiled.jit import kernel


@kernel(boundscheck=False)
def pack_rows(w_hat: Any) -> Any:
    """(O, I) -> codes uint8 (P, Q, 64), scale float32 (64 P,)."""
    outputs, inputs = w_hat.shape
    panels, steps = -(-outputs // 64), -(-inputs // 4)
    codes = zero_bytes(panels * steps * 64).reshape((panels, steps, 64))
    codes[:] = np.uint8(0b01010101)  # four zero weights
    scale = np.zeros(64 * panels, np.float32)
    for n in range(outputs):
        panel, rest = divmod(n, 64)
        group, first = rest // 16, 4 * (rest % 16)
        largest = F(0)
        for k in range(inputs):
            w = w_hat[n, k]
            largest = max(largest, abs(w))
            code = np.int64(w > 0) - np.int64(w < 0)  # added to the 1 that stands there
            place = first + k % 4
            codes[panel, k // 4, place] = codes[panel, k // 4, place] + (code << 2 * group)
        scale[n] = largest
    return codes, scale
