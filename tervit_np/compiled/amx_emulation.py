"""The matrix unit as a program: what the instructions of amx.py do, on 8 KB of memory.

`registers` is int32 (8, 16, 16): eight tiles of 16 rows of 16 words. Kernels for the matrix unit
run with these functions on any processor, to the same bits, which is how they are tested where
there is no unit.

In the dot product of bfloat16, sums of even and of odd inputs begin at zero in each instruction,
and both are added to the tile at its end, as Intel's manual has it. A product of two bfloat16
numbers needs 16 bits of a float32's 24, so that it is exact and each addition rounds once.
"""

import numpy as np
from llvmlite import ir
from numba import types

from tervit_np.arrays import Array
from tervit_np.compiled.arithmetic import fused
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
    broadcast,
    intrinsic,
    load,
    splat,
    store,
)

_SIZE = 16  # rows of a tile, and words of a row
_ROWS_AT_ONCE = 2  # with AVX2, 8 registers of sums, 4 of columns and 2 of rows
_WORDS, _FLOATS = ir.VectorType(I32, _SIZE), ir.VectorType(F32, _SIZE)


@kernel(boundscheck=False)
def tile_zero(registers: Array, t: int) -> None:
    """Set a tile to zero."""
    registers[t] = 0


@kernel(boundscheck=False)
def tile_load(registers: Array, t: int, source: Array, offset: int, stride: int) -> None:
    """Copy 16 rows of 64 bytes of an array to a tile."""
    for r in range(_SIZE):
        for i in range(_SIZE):
            registers[t, r, i] = load_word(source, offset + r * stride + 4 * i)


@kernel(boundscheck=False)
def tile_store(registers: Array, t: int, target: Array, offset: int, stride: int) -> None:
    """Copy a tile to 16 rows of an array."""
    for r in range(_SIZE):
        for i in range(_SIZE):
            store_word(target, offset + r * stride + 4 * i, registers[t, r, i])


@kernel(boundscheck=False)
def dot_int8(registers: Array, c: int, a: int, b: int) -> None:
    """C[m, n] += A[m, 4 k] B[k, 4 n] + ... + A[m, 4 k + 3] B[k, 4 n + 3], summed over k."""
    for m in range(_SIZE):
        sums = registers[c, m]
        for k in range(_SIZE):
            word, inputs = registers[a, m, k], registers[b, k]
            for i in range(4):
                x = _byte(word, np.int32(8 * i))
                for n in range(_SIZE):
                    sums[n] += np.int32(x * _byte(inputs[n], np.int32(8 * i)))


@kernel(boundscheck=False)
def dot_bf16(registers: Array, c: int, a: int, b: int) -> None:
    """C[m, n] += (sum of A[m, 2 k] B[k, 2 n]) + (sum of A[m, 2 k + 1] B[k, 2 n + 1])."""
    for m in range(0, _SIZE, _ROWS_AT_ONCE):
        _dot_rows(registers, c * _SIZE + m, a * _SIZE + m, b * _SIZE)


@intrinsic
def _dot_rows(
    typing: TypingContext, registers: types.Array, c: types.Integer, a: types.Integer,
    b: types.Integer,
) -> Intrinsic:  # fmt: skip
    """A few rows of the product, whose sums stay in registers: attention runs this.

    c, a and b are numbers of rows, 16 in each tile.
    """

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        data = array_data(context, builder, registers, args[0])
        c_, a_, b_ = (builder.mul(row, I64(4 * _SIZE)) for row in args[1:])
        sums = [[ir.Constant(_FLOATS, None)] * 2 for _ in range(_ROWS_AT_ONCE)]
        for k in range(_SIZE):
            at = builder.add(b_, I64(4 * _SIZE * k))
            columns = _halves(builder, load(builder, data, at, _WORDS))
            for m in range(_ROWS_AT_ONCE):
                at = builder.add(a_, I64(4 * (_SIZE * m + k)))
                word = broadcast(builder, load(builder, data, at, I32), _SIZE)
                factors = zip(_halves(builder, word), columns, sums[m], strict=True)
                sums[m] = [fused(builder, x, column, total) for x, column, total in factors]
        for m, (even, odd) in enumerate(sums):
            at = builder.add(c_, I64(4 * _SIZE * m))
            total = builder.fadd(load(builder, data, at, _FLOATS), builder.fadd(even, odd))
            store(builder, total, data, at)
        return context.get_dummy_value()

    return types.void(registers, types.intp, types.intp, types.intp), codegen


def _halves(builder: Builder, words: Value) -> tuple[Value, Value]:
    """Return the lower and the upper bfloat16 of each word as float32, whose upper half it is."""
    low = builder.shl(words, splat(_WORDS, 16))
    high = builder.and_(words, splat(_WORDS, -65536))
    return builder.bitcast(low, _FLOATS), builder.bitcast(high, _FLOATS)


@kernel(boundscheck=False)
def _byte(word: np.int32, first_bit: np.int32) -> np.int32:
    """Return the signed byte that begins at a bit of a word."""
    return np.int32(np.int32(word << (np.int32(24) - first_bit)) >> np.int32(24))


@intrinsic
def load_word(typing: TypingContext, array: types.Array, offset: types.Integer) -> Intrinsic:
    """Return the four bytes at a byte offset of an array."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        return load(builder, array_data(context, builder, array, args[0]), args[1], I32)

    return types.int32(array, types.intp), codegen


@intrinsic
def store_word(
    typing: TypingContext, array: types.Array, offset: types.Integer, word: types.Integer
) -> Intrinsic:
    """Write four bytes at a byte offset of an array."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        store(builder, args[2], array_data(context, builder, array, args[0]), args[1])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int32), codegen
