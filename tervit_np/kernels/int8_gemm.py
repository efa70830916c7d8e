"""The product of 8-bit tokens with 8-bit weights, compiled; eight_bit.py says what it computes."""

from typing import Any

import numpy as np

from tervit_np.compiled.exponential import F
from tervit_np.compiled.jit import kernel
from tervit_np.kernels.gemm import View, gemm_rows
from tervit_np.kernels.panels import QuantizedTokens
from tervit_np.kernels.quantize import quantize_rows
from tervit_np.kernels.tiles import BYTE_TILES, MR


@kernel(boundscheck=False)
def quantize_and_multiply_int8(x: Any, layer: Any, bias: Any) -> Any:
    """Round the tokens, then multiply.  (M, I), EightBit, (O',) -> (M, O)."""
    steps, wide = layer.codes.shape[0], layer.scale.shape[0]
    count, inputs = x.shape[0], 4 * steps
    out = np.empty((count, layer.outputs), np.float32)
    codes = np.empty((count, inputs), np.int8)
    tokens = QuantizedTokens(codes, np.empty(count, np.float32), np.empty(count, np.int32))
    quantize_rows(x, x.shape[1], tokens)
    moved, sums = np.zeros((MR, inputs), np.uint8), np.empty((MR, wide), np.int32)
    for m in range(0, count, MR):
        rows = min(MR, count - m)
        for i in range(rows):
            for k in range(inputs):
                moved[i, k] = np.int32(codes[m + i, k]) + np.int32(128)
        gemm_rows(
            BYTE_TILES, View(moved, 0, inputs), View(layer.codes, 0, 4 * wide), wide, steps, sums
        )
        for i in range(rows):
            _finish(sums[i], tokens.scale[m + i], layer, bias, out[m + i])
    return out


@kernel(boundscheck=False)
def _finish(sums: Any, scale: Any, layer: Any, bias: Any, out: Any) -> None:
    for n in range(out.shape[0]):
        out[n] = F(np.int32(sums[n] - layer.sums[n])) * scale * layer.scale[n] + bias[n]
