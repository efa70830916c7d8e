"""Float32 matrices as tiles of bfloat16 for the matrix unit.

    panels int32 (O / 16, S, P, 16, 16)      16 outer rows or columns, steps of 32 inputs

A word is a pair of neighbouring inputs. A tile of A has a word for each of 16 pairs in each of 16
rows, a tile of B the transpose: a row for each pair, a word for each column. What a last tile lacks
are zeros.

With P = 3 each number is split into two bfloat16, high and low, and a step is three tiles of A and
three of B, whose products are low high + high low + high high: the product of a sum of two, without
low low. To the unit it is a product of three times as many inputs.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types

from tervit_np.arrays import Array
from tervit_np.compiled.exponential import F, bits_to_float, float_to_bits
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.simd import (
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
    intrinsic,
    load,
    store,
    transpose,
)

SIZE, INPUTS = 16, 32  # rows, or columns, and inputs of a tile
TILE_WORDS = SIZE * SIZE
A_LOW, B_LOW = 0, 1  # the part, of three, in which A or B is low
_HIGH_HALF, _LOW_HALF = np.int32(-65536), np.int32(0xFFFF)
_MAGNITUDE, _INFINITY = np.int32(0x7FFFFFFF), np.int32(0x7F800000)
_NAN, _SMALLEST = np.int32(0x7FC00000), np.int32(np.float32(2.0**-56).view(np.int32))
_ROUND, _ONE, _HALF = np.int32(0x7FFF), np.int32(1), np.int32(16)


@kernel(boundscheck=False)
def bf16_bits(x: np.float32) -> np.int32:
    """Round to bfloat16, the upper half of the result; as bfloat16.py does."""
    bits = np.int32(float_to_bits(x))
    magnitude = np.int32(bits & _MAGNITUDE)
    rounded = np.int32(bits + _ROUND + np.int32(np.int32(bits >> _HALF) & _ONE))
    rounded = _NAN if magnitude > _INFINITY else rounded
    rounded = np.int32(0) if magnitude < _SMALLEST else rounded
    return np.int32(rounded & _HIGH_HALF)


@kernel(boundscheck=False)
def bf16_part(x: np.float32, low: bool) -> np.int32:
    """Return the high or the low bfloat16 of a number, in the upper half."""
    high = bf16_bits(x)
    return bf16_bits(F(x - bits_to_float(high))) if low else high


@kernel(boundscheck=False)
def pair(first: np.int32, second: np.int32) -> np.int32:
    """Join two bfloat16 numbers in a word; the first is the lower half."""
    return np.int32(second | (np.int32(first >> _HALF) & _LOW_HALF))


class Region(NamedTuple):
    """A part of a matrix: rows row..row_stop - 1, columns column..column_stop - 1."""

    row: int
    row_stop: int
    column: int
    column_stop: int


@kernel(boundscheck=False)
def pack_rows(x: Array, part: Region, parts: int, out: Array) -> None:
    """Tiles of A: rows are rows of a region, inputs its columns.  -> (M / 16, S, P, 16, 16)."""
    for m in range(part.row, part.row_stop):
        tile, r = divmod(m - part.row, SIZE)
        row = x[m]
        for s in range(out.shape[1]):
            k = part.column + s * INPUTS
            for p in range(parts):
                words, low = out[tile, s, p, r], parts > 1 and p == A_LOW
                if k + INPUTS <= part.column_stop:
                    for i in range(SIZE):
                        one, two = row[k + 2 * i], row[k + 2 * i + 1]
                        words[i] = pair(bf16_part(one, low), bf16_part(two, low))
                else:
                    for i in range(SIZE):
                        one = _value(x, part, m, k + 2 * i)
                        two = _value(x, part, m, k + 2 * i + 1)
                        words[i] = pair(bf16_part(one, low), bf16_part(two, low))


@kernel(boundscheck=False)
def pack_pairs(x: Array, part: Region, parts: int, low_part: int, out: Array) -> None:
    """Tiles of B: inputs are rows of a region, columns its columns.  -> (N / 16, S, P, 16, 16)."""
    for n in range(part.column, part.column_stop, SIZE):
        for s in range(-(-(part.row_stop - part.row) // INPUTS)):
            for p in range(parts):
                low = parts > 1 and p == low_part
                for i in range(SIZE):
                    k = part.row + s * INPUTS + 2 * i
                    words = out[(n - part.column) // SIZE, s, p, i]
                    if n + SIZE <= part.column_stop and k + 2 <= part.row_stop:
                        first, second = x[k], x[k + 1]
                        for j in range(SIZE):
                            one, two = first[n + j], second[n + j]
                            words[j] = pair(bf16_part(one, low), bf16_part(two, low))
                    else:
                        for j in range(SIZE):
                            one = _value(x, part, k, n + j)
                            two = _value(x, part, k + 1, n + j)
                            words[j] = pair(bf16_part(one, low), bf16_part(two, low))


@kernel(boundscheck=False)
def transpose_tiles(tiles: int, steps: int, parts: int, out: Array) -> None:
    """Make tiles of B of tiles of A, or the reverse: rows become columns."""
    for m in range(tiles):
        for s in range(steps):
            for p in range(parts):
                transpose_words(out, ((m * out.shape[1] + s) * parts + p) * TILE_WORDS)


@kernel(boundscheck=False)
def _value(x: Array, part: Region, m: int, n: int) -> np.float32:
    """Return a number of a region, 0 beyond it."""
    return x[m, n] if m < part.row_stop and n < part.column_stop else F(0)


@intrinsic
def transpose_words(typing: TypingContext, tiles: types.Array, first: types.Integer) -> Intrinsic:
    """Transpose the 16 x 16 words from word `first` on, in place."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        data = array_data(context, builder, tiles, args[0])
        offset = builder.mul(args[1], I64(4))
        offsets = [builder.add(offset, I64(4 * SIZE * i)) for i in range(SIZE)]
        rows = [load(builder, data, at, ir.VectorType(I32, SIZE)) for at in offsets]
        for row, at in zip(transpose(builder, rows), offsets, strict=True):
            store(builder, row, data, at)
        return context.get_dummy_value()

    return types.void(tiles, types.intp), codegen
