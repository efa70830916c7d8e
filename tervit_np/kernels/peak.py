"""The peak of a variant: its dot products on registers alone, without loads or stores."""

import numpy as np
from llvmlite import ir
from numba import types

from tervit_np.arrays import Array
from tervit_np.compiled.amx import (
    ROW_BYTES,
    ROWS,
    MatrixTile,
    configure,
    dot_int8,
    registers_of,
    release,
    tile_load,
    tile_store,
    tile_zero,
)
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.simd import (
    I8,
    Builder,
    Context,
    Intrinsic,
    Signature,
    TypingContext,
    Value,
    Values,
    broadcast,
    intrinsic,
)
from tervit_np.kernels.microkernel import DOT, Accumulators, zero_accumulators
from tervit_np.kernels.panels import SLOTS, QuantizedTokens
from tervit_np.kernels.ternary_gemm import store_tile
from tervit_np.kernels.tiles import Tile


@kernel(boundscheck=False)
def dot_products_only(tile: Tile, steps: int, weights: int, inputs: int) -> Array:
    """Multiply and add in registers, `steps` times.  -> int32 (8, 256), the sums.

    The sums are returned so that the compiler cannot remove the loop.
    """
    acc: Accumulators = zero_accumulators(tile)
    for i in range(steps):
        acc = multiply_add_registers(acc, weights, inputs, np.int32(i))
    unused = np.zeros(8, np.float32)
    tokens = QuantizedTokens(np.zeros((8, 4), np.int8), unused, np.zeros(8, np.int32))
    out = np.empty((8, 256), np.int32)
    store_tile(acc, tokens, unused, unused, out, 0, 0)
    return out


@intrinsic
def multiply_add_registers(
    typing: TypingContext, acc: Accumulators, weights: types.Integer, inputs: types.Integer,
    step: types.Integer,
) -> Intrinsic:  # fmt: skip
    """One step of `multiply_add`, always with the same four weights and four inputs.

    With AVX2 a dot product is three instructions, and a compiler would compute the same product
    once, before the loop. So there slots differ in weights, and rows and steps in inputs.
    """

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        sums, weights_, inputs_, step_ = args
        vector = ir.VectorType(I8, acc.vector_bytes)
        lanes, distinct = acc.vector_bytes // 4, acc.variant == "avx2"

        def operand(word: Value, number: int) -> Value:
            if distinct:
                word = builder.add(word, ir.Constant(word.type, number))
            return builder.bitcast(broadcast(builder, word, lanes), vector)

        inputs_ = builder.add(inputs_, step_) if distinct else inputs_
        slots = [operand(weights_, s) for s in range(acc.panels * SLOTS)]
        for m in range(acc.mr):
            x = operand(inputs_, m)
            for i, w in enumerate(slots, m * len(slots)):
                after = DOT[acc.variant](builder, builder.extract_value(sums, i), w, x)
                sums = builder.insert_value(sums, after, i)
        return sums

    return acc(acc, types.int32, types.int32, types.int32), codegen


@kernel(boundscheck=False)
def tile_dot_products_only(tile: MatrixTile, steps: int) -> Array:
    """Multiply and add on the matrix unit, `steps` times four tiles.  -> int32 (4, 16, 16)."""
    registers, out = registers_of(tile), np.ones((4, ROWS, ROWS), np.int32)
    configure(tile)
    tile_load(tile, registers, 4, out, 0, ROW_BYTES)
    tile_zero(tile, registers, 0)
    tile_zero(tile, registers, 1)
    tile_zero(tile, registers, 2)
    tile_zero(tile, registers, 3)
    for _ in range(steps):
        dot_int8(tile, registers, 0, 4, 4)
        dot_int8(tile, registers, 1, 4, 4)
        dot_int8(tile, registers, 2, 4, 4)
        dot_int8(tile, registers, 3, 4, 4)
    tile_store(tile, registers, 0, out, 0, ROW_BYTES)
    release(tile)
    return out


def operations(tile: Tile | MatrixTile, steps: int) -> int:
    """Count the multiplications and additions of so many steps."""
    if isinstance(tile, MatrixTile):
        return 2 * steps * 4 * ROWS * ROWS * ROW_BYTES
    return 2 * steps * tile.vector_bytes * tile.mr * tile.panels * SLOTS
