"""Float32 matrices as tiles of bfloat16 for the matrix unit.

    panels int32 (O / 16, S, P, 16, 16)      16 outer rows or columns, steps of 32 inputs

A word is a pair of neighbouring inputs. A tile of A has a word for each of 16 pairs in each of 16
rows, a tile of B the transpose: a row for each pair, a word for each column. What a last tile lacks
are zeros.

With P = 3 each number is split into two bfloat16, high and low, and a step is three tiles of A and
three of B, whose products are low high + high low + high high: the product of a sum of two, without
low low. To the unit it is a product of three times as many inputs.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types

from tervit_np.arrays import Array
from tervit_np.compiled.exponential import F
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
    byte_offset,
    intrinsic,
    load,
    shuffle_two,
    splat,
    store,
    transpose,
)

SIZE, INPUTS = 16, 32  # rows, or columns, and inputs of a tile
TILE_WORDS = SIZE * SIZE
A_LOW, B_LOW = 0, 1  # the part, of three, in which A or B is low
_FLOATS, _WORDS = ir.VectorType(F32, SIZE), ir.VectorType(I32, SIZE)
_SMALLEST = int(np.float32(2.0**-56).view(np.int32))


class Region(NamedTuple):
    """A part of a matrix: rows row..row_stop - 1, columns column..column_stop - 1."""

    row: int
    row_stop: int
    column: int
    column_stop: int


@kernel(boundscheck=False)
def pack_rows(x: Array, part: Region, parts: int, out: Array) -> None:
    """Tiles of A: rows are rows of a region, inputs its columns.  -> (M / 16, S, P, 16, 16)."""
    edge, steps = np.empty(INPUTS, np.float32), -(-(part.column_stop - part.column) // INPUTS)
    for m in range(part.row, part.row_stop):
        tile, r = divmod(m - part.row, SIZE)
        word = tile * out.shape[1] * parts * TILE_WORDS + r * SIZE
        for s in range(steps):
            k = part.column + s * INPUTS
            if k + INPUTS <= part.column_stop:
                pack_row(x, m * x.shape[1] + k, SIZE, out, word, TILE_WORDS, parts, A_LOW)
            else:
                for i in range(INPUTS):
                    edge[i] = value_of(x, part, m, k + i)
                pack_row(edge, 0, SIZE, out, word, TILE_WORDS, parts, A_LOW)
            word += parts * TILE_WORDS


@kernel(boundscheck=False)
def pack_pairs(x: Array, part: Region, parts: int, low_part: int, out: Array) -> None:
    """Tiles of B: inputs are rows of a region, columns its columns.  -> (N / 16, S, P, 16, 16)."""
    edge, steps = np.empty(2 * SIZE, np.float32), -(-(part.row_stop - part.row) // INPUTS)
    for n in range(part.column, part.column_stop, SIZE):
        tile = (n - part.column) // SIZE * out.shape[1] * parts
        for pair in range(steps * SIZE):
            s, i = divmod(pair, SIZE)
            k, word = part.row + 2 * pair, (tile + s * parts) * TILE_WORDS + i * SIZE
            if n + SIZE <= part.column_stop and k + 2 <= part.row_stop:
                pack_pair(x, k * x.shape[1] + n, x.shape[1], out, word, TILE_WORDS, parts, low_part)
            else:
                for j in range(SIZE):
                    edge[j] = value_of(x, part, k, n + j)
                    edge[SIZE + j] = value_of(x, part, k + 1, n + j)
                pack_pair(edge, 0, SIZE, out, word, TILE_WORDS, parts, low_part)


@kernel(boundscheck=False)
def transpose_tiles(tiles: int, steps: int, parts: int, out: Array) -> None:
    """Make tiles of B of tiles of A, or the reverse: rows become columns."""
    for m in range(tiles):
        for s in range(steps):
            for p in range(parts):
                transpose_words(out, ((m * out.shape[1] + s) * parts + p) * TILE_WORDS)


@kernel(boundscheck=False)
def value_of(x: Array, part: Region, m: int, n: int) -> np.float32:
    """Return a number of a region, 0 beyond it."""
    return x[m, n] if m < part.row_stop and n < part.column_stop else F(0)


def packer(lower: Sequence[int], upper: Sequence[int]) -> Callable[..., None]:
    """Make a function that rounds 2 x 16 numbers and writes 16 words of each part.

    `lower` and `upper` are the numbers, of the 32, that come into the halves of the words. The
    function reads 16 numbers from `first` on and 16 at a `distance`; it writes words from `word`
    on, and those of the next part `apart` words after them.
    """

    @intrinsic
    def pack(
        typing: TypingContext, x: types.Array, first: types.Integer, distance: types.Integer,
        out: types.Array, word: types.Integer, apart: types.Integer, parts: types.Integer,
        low_part: types.Integer,
    ) -> Intrinsic:  # fmt: skip
        def codegen(
            context: Context, builder: Builder, signature: Signature, args: Values
        ) -> Value:
            source, target = (array_data(context, builder, signature.args[i], args[i])
                              for i in (0, 3))  # fmt: skip
            starts = args[1], builder.add(args[1], args[2])
            one, two = (load(builder, source, byte_offset(builder, n), _FLOATS) for n in starts)
            low, high = (shuffle_two(builder, one, two, lanes) for lanes in (lower, upper))

            def write(halves: Values, part: Value) -> None:
                words = builder.or_(halves[1], builder.lshr(halves[0], splat(_WORDS, 16)))
                at = builder.add(args[4], builder.mul(part, args[5]))
                store(builder, words, target, byte_offset(builder, at))

            first_parts = rounded(builder, low), rounded(builder, high)
            write(first_parts, builder.sub(args[6], I64(1)))
            with builder.if_then(builder.icmp_signed(">", args[6], I64(1))):
                left = (builder.fsub(x, builder.bitcast(y, _FLOATS))
                        for x, y in zip((low, high), first_parts, strict=True))  # fmt: skip
                write(tuple(rounded(builder, x) for x in left), args[7])
                write(first_parts, builder.sub(I64(1), args[7]))
            return context.get_dummy_value()

        sizes = [types.intp] * 2
        return types.void(x, *sizes, out, *sizes, *sizes), codegen

    return pack


pack_pair = packer(range(SIZE), range(SIZE, 2 * SIZE))  # numbers of two rows
pack_row = packer(range(0, 2 * SIZE, 2), range(1, 2 * SIZE, 2))  # neighbours of a row


@intrinsic
def bf16_bits(typing: TypingContext, x: types.Float) -> Intrinsic:
    """Round to bfloat16, the upper half of the result; as bfloat16.py does."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        return rounded(builder, args[0])

    return types.int32(types.float32), codegen


def rounded(builder: Builder, x: Value) -> Value:
    """The same of a number or a vector: float32 -> int32 whose lower half is 0."""
    kind = ir.VectorType(I32, x.type.count) if isinstance(x.type, ir.VectorType) else I32

    def constant(value: int) -> Value:
        return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)

    bits = builder.bitcast(x, kind)
    last = builder.and_(builder.lshr(bits, constant(16)), constant(1))
    result = builder.add(bits, builder.add(last, constant(0x7FFF)))
    magnitude = builder.and_(bits, constant(0x7FFFFFFF))
    not_a_number = builder.icmp_signed(">", magnitude, constant(0x7F800000))
    too_small = builder.icmp_signed("<", magnitude, constant(_SMALLEST))
    result = builder.select(not_a_number, constant(0x7FC00000), result)
    result = builder.select(too_small, constant(0), result)
    return builder.and_(result, constant(-0x10000))


@intrinsic
def transpose_words(typing: TypingContext, tiles: types.Array, first: types.Integer) -> Intrinsic:
    """Transpose the 16 x 16 words from word `first` on, in place."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        data = array_data(context, builder, tiles, args[0])
        offset = byte_offset(builder, args[1])
        offsets = [builder.add(offset, I64(4 * SIZE * i)) for i in range(SIZE)]
        rows = [load(builder, data, at, ir.VectorType(I32, SIZE)) for at in offsets]
        for row, at in zip(transpose(builder, rows), offsets, strict=True):
            store(builder, row, data, at)
        return context.get_dummy_value()

    return types.void(tiles, types.intp), codegen
