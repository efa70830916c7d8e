"""The product of 8-bit tokens with 8-bit weights, compiled; int8_linear.py has the formula."""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.exponential import F
from tervit_np.compiled.jit import kernel
from tervit_np.kernels.gemm import View, gemm_rows
from tervit_np.kernels.int8_weights import Int8Weights
from tervit_np.kernels.panels import QuantizedTokens
from tervit_np.kernels.quantize import quantize_rows
from tervit_np.kernels.tiles import BYTE_TILES, MR


@kernel(boundscheck=False)
def quantize_and_multiply_int8(x: Array, w: Int8Weights, bias: Array) -> Array:
    """Quantize the tokens, then multiply.  (M, I), Int8Weights, (O',) -> (M, O)."""
    steps, columns = w.packed.shape[0], w.scale.shape[0]
    count, inputs = x.shape[0], 4 * steps
    out = np.empty((count, w.outputs), np.float32)
    q = np.empty((count, inputs), np.int8)
    tokens = QuantizedTokens(q, np.empty(count, np.float32), np.empty(count, np.int32))
    quantize_rows(x, x.shape[1], w.input_scale, tokens)
    unsigned, sums = np.zeros((MR, inputs), np.uint8), np.empty((MR, columns), np.int32)
    for m in range(0, count, MR):
        rows = min(MR, count - m)
        for i in range(rows):
            for k in range(inputs):
                unsigned[i, k] = np.int32(q[m + i, k]) + np.int32(128)
        a, b = View(unsigned, 0, inputs), View(w.packed, 0, 4 * columns)
        gemm_rows(BYTE_TILES, a, b, columns, steps, sums)
        for i in range(rows):
            _dequantize(sums[i], tokens.scale[m + i], w, bias, out[m + i])
    return out


@kernel(boundscheck=False)
def _dequantize(sums: Array, scale: np.float32, w: Int8Weights, bias: Array, out: Array) -> None:
    """out = (sums - compensation) * scale * w.scale + bias for one token.  (O',) -> (O,)."""
    for n in range(out.shape[0]):
        out[n] = F(np.int32(sums[n] - w.compensation[n])) * scale * w.scale[n] + bias[n]
