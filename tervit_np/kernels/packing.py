"""Pack ternary weights into panels, compiled: training packs anew in each step.

Twin of `pack` in panels.py, from the dequantized weights: the code is the sign, the scale of a row
is its largest magnitude.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import zero_bytes
from tervit_np.compiled.exponential import F
from tervit_np.compiled.jit import kernel


@kernel(boundscheck=False)
def pack_rows(w_hat: Array) -> tuple[Array, Array]:
    """(O, I) -> packed uint8 (P, Q, 64), scale float32 (64 P,)."""
    outputs, inputs = w_hat.shape
    panels, steps = -(-outputs // 64), -(-inputs // 4)
    packed = zero_bytes(panels * steps * 64).reshape((panels, steps, 64))
    packed[:] = np.uint8(0b01010101)  # four zero weights
    scale = np.zeros(64 * panels, np.float32)
    for n in range(outputs):
        panel, row = divmod(n, 64)
        slot, first_byte = row // 16, 4 * (row % 16)
        largest = F(0)
        for k in range(inputs):
            w = w_hat[n, k]
            largest = max(largest, abs(w))
            code = np.int64(w > 0) - np.int64(w < 0)  # is added to the zero point 1
            byte = first_byte + k % 4
            packed[panel, k // 4, byte] = packed[panel, k // 4, byte] + (code << 2 * slot)
        scale[n] = largest
    return packed, scale
