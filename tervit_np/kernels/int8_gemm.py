"""The product of 8-bit tokens with 8-bit weights, compiled; int8_linear.py has the formula.

Vector registers need an unsigned side, the matrix unit does not: there, no zero point is undone.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import empty_matrix, zero_bytes
from tervit_np.compiled.amx import MatrixTile
from tervit_np.compiled.exponential import F
from tervit_np.compiled.jit import kernel
from tervit_np.kernels.amx_gemm import linear_on_tiles
from tervit_np.kernels.amx_weights import OUTPUTS
from tervit_np.kernels.gemm import View, gemm_rows
from tervit_np.kernels.int8_weights import Int8Weights
from tervit_np.kernels.panels import QuantizedTokens
from tervit_np.kernels.quantize import quantize_rows
from tervit_np.kernels.team import round_up
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
        _sum_rows(q, m, rows, w, unsigned, sums)
        for i in range(rows):
            _dequantize(sums[i], tokens.scale[m + i], w, bias, out[m + i])
    return out


@kernel(boundscheck=False)
def multiply_int8(q: Array, w: Int8Weights) -> Array:
    """Multiply integers alone.  int8 (M, 4 Q), Int8Weights -> int32 (M, O)."""
    count, inputs = q.shape
    out = np.empty((count, w.outputs), np.int32)
    unsigned, sums = np.zeros((MR, inputs), np.uint8), np.empty((MR, w.scale.shape[0]), np.int32)
    for m in range(0, count, MR):
        rows = min(MR, count - m)
        _sum_rows(q, m, rows, w, unsigned, sums)
        for i in range(rows):
            for n in range(w.outputs):
                out[m + i, n] = sums[i, n] - w.compensation[n]
    return out


@kernel(boundscheck=False)
def _sum_rows(
    q: Array, start: int, rows: int, w: Int8Weights, unsigned: Array, sums: Array
) -> None:
    """Sum (q + 128) w for at most MR tokens.  int8 (M, 4 Q) -> sums int32 (MR, O')."""
    inputs, columns = q.shape[1], w.scale.shape[0]
    for i in range(rows):
        for k in range(inputs):
            unsigned[i, k] = np.int32(q[start + i, k]) + np.int32(128)
    a, b = View(unsigned, 0, inputs), View(w.packed, 0, 4 * columns)
    gemm_rows(BYTE_TILES, a, b, columns, w.packed.shape[0], sums)


@kernel(boundscheck=False)
def _dequantize(sums: Array, scale: np.float32, w: Int8Weights, bias: Array, out: Array) -> None:
    """out = (sums - compensation) * scale * w.scale + bias for one token.  (O',) -> (O,)."""
    for n in range(out.shape[0]):
        out[n] = F(np.int32(sums[n] - w.compensation[n])) * scale * w.scale[n] + bias[n]


@kernel(boundscheck=False)
def quantize_and_multiply_int8_on_tiles(
    tile: MatrixTile, x: Array, w: Int8Weights, bias: Array
) -> Array:
    """The same on a matrix unit.  (M, I), Int8Weights, (O',) -> (M', O''), whole tiles."""
    rows, inputs = round_up(x.shape[0], tile.mr), round_up(4 * w.packed.shape[0], tile.inputs)
    q = zero_bytes(rows * inputs).view(np.int8).reshape((rows, inputs))
    tokens = QuantizedTokens(q, np.empty(rows, np.float32), np.empty(rows, np.int32))
    quantize_rows(x, x.shape[1], w.input_scale, tokens)
    columns = round_up(w.scale.shape[0], OUTPUTS)
    scales, biases = np.zeros(columns, np.float32), np.zeros(columns, np.float32)
    for n in range(bias.shape[0]):  # as in ternary_gemm.pack_inputs
        scales[n], biases[n] = w.scale[n], bias[n]
    out = empty_matrix(rows, columns)
    linear_on_tiles(tile, tokens, w, scales, biases, out, 0, columns // OUTPUTS)
    return out
