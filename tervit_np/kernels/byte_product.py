"""The product of 8-bit tokens with 8-bit weights, compiled; eight_bit.py says what it computes."""

from typing import Any

import numpy as np

from tervit_np.kernels.dense import BYTES, ROWS, product
from tervit_np.kernels.exponential import F
from tervit_np.kernels.fakequant import symmetric_step
from tervit_np.kernels.jit import kernel
from tervit_np.kernels.tokens import LIMIT, round_row


@kernel(boundscheck=False)
def rounded_byte_linear(x: Any, layer: Any, bias: Any) -> Any:
    """Round the tokens, then multiply.  (M, I), EightBit, (O',) -> (M, O)."""
    steps, wide = layer.codes.shape[0], layer.scale.shape[0]
    out = np.empty((x.shape[0], layer.outputs), np.float32)
    signed, moved = np.zeros(4 * steps, np.int8), np.zeros((ROWS, 4 * steps), np.uint8)
    scale, sums = np.empty(ROWS, np.float32), np.empty((ROWS, wide), np.int32)
    for m in range(0, x.shape[0], ROWS):
        rows = min(ROWS, x.shape[0] - m)
        for i in range(rows):
            scale[i] = symmetric_step(x[m + i], LIMIT)
            round_row(x[m + i], scale[i], signed)
            for k in range(4 * steps):
                moved[i, k] = np.int32(signed[k]) + np.int32(128)
        product(BYTES, moved, 0, 4 * steps, layer.codes, 0, wide, 4 * wide, steps, sums)
        for i in range(rows):
            _finish(sums[i], scale[i], layer, bias, out[m + i])
    return out


@kernel(boundscheck=False)
def _finish(sums: Any, scale: Any, layer: Any, bias: Any, out: Any) -> None:
    for n in range(out.shape[0]):
        out[n] = F(np.int32(sums[n] - layer.sums[n])) * scale * layer.scale[n] + bias[n]
