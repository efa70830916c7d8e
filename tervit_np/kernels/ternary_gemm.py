"""The product of 8-bit tokens with packed ternary weights: one loop nest for all variants.

    y[m, n] = s_m a_n sum_k q[m, k] t[n, k] + b_n        q int8, t in {-1, 0, 1}

The outer loop runs over panels of 64 outputs, the next over tiles of `mr` tokens, the inner one
over inputs. The sums of a tile stay in registers until they are scaled and stored. The weights of a
panel, 16 bytes for each input, stay in the L1 cache while the tokens change, so that each weight is
read from memory once. (A matrix unit takes a loop nest of its own, amx_gemm.py.)
"""

from collections.abc import Callable, Iterator

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import overload

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import empty_matrix, zero_bytes
from tervit_np.compiled.amx import MatrixTile
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.simd import (
    F32,
    I32,
    I64,
    Builder,
    Context,
    Intrinsic,
    Signature,
    TypingContext,
    Value,
    Values,
    array_data,
    array_stride,
    broadcast,
    byte_offset,
    intrinsic,
    load,
    store,
)
from tervit_np.kernels.amx_gemm import linear_on_tiles
from tervit_np.kernels.microkernel import (
    Accumulators,
    multiply_add,
    undo_zero_point,
    zero_accumulators,
)
from tervit_np.kernels.panels import PANEL, SLOTS, Panels, QuantizedTokens
from tervit_np.kernels.quantize import quantize_rows
from tervit_np.kernels.team import round_up
from tervit_np.kernels.tiles import Tile


@kernel(boundscheck=False)
def linear(
    tile: Tile | MatrixTile, x: QuantizedTokens, w: Panels, bias: Array, out: Array, start: int,
    stop: int,
) -> None:  # fmt: skip
    """Panels start..stop-1 of y.  Tokens (M', I'), panels (P, Q, 64), (64 P,) -> out (M', 64 P).

    `out` is float32; if it is int32, it gets the sums of the integers without scale and bias.
    """
    multiply_panels(tile, x, w, bias, out, start, stop)


def multiply_panels(
    tile: Tile | MatrixTile, x: QuantizedTokens, w: Panels, bias: Array, out: Array, start: int,
    stop: int,
) -> None:  # fmt: skip
    """Run the loop nest for vector registers or that for a matrix unit, by the type of `tile`."""
    raise NotImplementedError("multiply_panels exists only in compiled code")


@overload(multiply_panels, strict=False)  # strict would compare annotations as well as names
def _multiply_panels(
    tile: types.NamedUniTuple, x: types.NamedTuple, w: types.NamedTuple, bias: types.Array,
    out: types.Array, start: types.Integer, stop: types.Integer,
) -> Callable[..., None]:  # fmt: skip
    if issubclass(tile.instance_class, MatrixTile):
        return lambda tile, x, w, bias, out, start, stop: linear_on_tiles(
            tile, x, w, w.scale, bias, out, 2 * start, 2 * stop
        )
    return lambda tile, x, w, bias, out, start, stop: linear_in_registers(
        tile, x, w, bias, out, start, stop
    )


@kernel(boundscheck=False)
def linear_in_registers(
    tile: Tile, x: QuantizedTokens, w: Panels, bias: Array, out: Array, start: int, stop: int
) -> None:
    """Panels start..stop-1 of y, one vector register of sums for each token and slot."""
    steps, stride = w.packed.shape[1], x.q.shape[1]
    for panel in range(start, stop, tile.panels):
        panel = min(panel, stop - tile.panels)  # the last tile may compute some panels again
        for byte in range(0, 64, tile.vector_bytes):
            for m in range(0, x.q.shape[0], tile.mr):
                acc: Accumulators = zero_accumulators(tile)
                w_offset, x_offset = panel * steps * 64 + byte, m * stride
                for _ in range(steps):
                    acc = multiply_add(acc, w.packed, w_offset, x.q, x_offset, stride)
                    w_offset += 64
                    x_offset += 4
                store_tile(acc, x, w.scale, bias, out, m, 64 * panel + byte // 4)


@kernel(boundscheck=False)
def quantize_and_multiply(tile: Tile | MatrixTile, x: Array, w: Panels, bias: Array) -> Array:
    """Quantize the tokens, then multiply.  (M, I), panels, (O,) or (0,) -> (M', 64 P)."""
    tokens, padded_bias, out = pack_inputs(tile, x, w, bias)
    linear(tile, tokens, w, padded_bias, out, 0, w.packed.shape[0])
    return out


@kernel(boundscheck=False)
def pack_inputs(
    tile: Tile | MatrixTile, x: Array, w: Panels, bias: Array
) -> tuple[QuantizedTokens, Array, Array]:
    """Quantize the tokens, pad the bias, allocate.  -> tokens (M', I'), (64 P,), (M', 64 P)."""
    rows, inputs = round_up(x.shape[0], tile.mr), round_up(4 * w.packed.shape[1], tile.inputs)
    q = zero_bytes(rows * inputs).view(np.int8).reshape((rows, inputs))
    tokens = QuantizedTokens(q, np.empty(rows, np.float32), np.empty(rows, np.int32))
    quantize_rows(x, x.shape[1], w.input_scale, tokens)
    padded_bias = np.zeros(w.scale.shape[0], np.float32)
    for n in range(bias.shape[0]):  # [:] = bias would compile an error's text, in 3 seconds
        padded_bias[n] = bias[n]
    return tokens, padded_bias, empty_matrix(rows, w.scale.shape[0])


@intrinsic
def store_tile(
    typing: TypingContext, acc: Accumulators, x: types.NamedTuple, scale: types.Array,
    bias: types.Array, out: types.Array, m: types.Integer, n: types.Integer,
) -> Intrinsic:  # fmt: skip
    """out[m:, n:] = sums * x.scale * scale + bias for a tile; sums alone if `out` is int32."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        sums, x_, scale_, bias_, out_, m_, n_ = args
        token_scales, row_sums = (
            array_data(context, builder, x.types[i], builder.extract_value(x_, i)) for i in (1, 2)
        )
        scales = array_data(context, builder, scale, scale_)
        biases = array_data(context, builder, bias, bias_)
        target = array_data(context, builder, out, out_)
        row_bytes = array_stride(context, builder, out, out_, 0)
        floats = ir.VectorType(F32, acc.outputs)
        for i, (row, s, n_offset) in enumerate(_tile_offsets(builder, acc, m_, n_)):
            m_offset = byte_offset(builder, row)
            row_sum = load(builder, row_sums, m_offset, I32)
            y = undo_zero_point(builder, acc, sums, i, s, row_sum)
            if out.dtype == types.float32:
                token_scale = load(builder, token_scales, m_offset, F32)
                y = builder.sitofp(y, floats)
                y = builder.fmul(y, broadcast(builder, token_scale, acc.outputs))
                y = builder.fmul(y, load(builder, scales, n_offset, floats))
                y = builder.fadd(y, load(builder, biases, n_offset, floats))
            store(builder, y, target, builder.add(builder.mul(row, row_bytes), n_offset))
        return context.get_dummy_value()

    return types.void(acc, x, scale, bias, out, types.intp, types.intp), codegen


def _tile_offsets(
    builder: Builder, acc: Accumulators, m: Value, n: Value
) -> Iterator[tuple[Value, int, Value]]:
    """Yield for each vector of a tile: its row, its slot, the byte offset of its first column."""
    for i in range(acc.mr):
        row = builder.add(m, ir.Constant(I64, i))
        for first in range(0, PANEL * acc.panels, PANEL // SLOTS):
            slot = first * SLOTS // PANEL % SLOTS
            yield row, slot, byte_offset(builder, builder.add(n, ir.Constant(I64, first)))
