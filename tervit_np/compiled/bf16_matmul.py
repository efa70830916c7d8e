"""The two products of a linear layer's backward pass in bfloat16, with sums in float32.

    dx = dy W        dW = dy^T x

Twin of ops/mixed_precision.py. On a processor with a matrix unit for bfloat16 they run on its
tiles, elsewhere on vector registers (bf16_sgemm.py), to the same bits: sums are made in the
order of the unit, 32 inputs at a time, each after the one before. That order depends neither on the
number of rows that are packed at a time nor on threads. Tests run the loops on an emulated unit
(amx_emulation.py).

Two tiles of A and two of B are loaded for four products. Rows are packed 256 at a time, few enough
for the second cache; dW adds to its sums in memory after each of these portions.
"""

from functools import cache

import numpy as np

from tervit_np import target, tile_permission
from tervit_np.arrays import Array
from tervit_np.compiled.aligned import empty_bytes
from tervit_np.compiled.amx import (
    AMX,
    EMULATED,
    TILE_BYTES,
    MatrixTile,
    configure,
    dot_bf16,
    registers_of,
    release,
    tile_load,
    tile_store,
    tile_zero,
)
from tervit_np.compiled.bf16_dot import has_dot_of_pairs
from tervit_np.compiled.bf16_panels import (
    A_LOW,
    B_LOW,
    INPUTS,
    SIZE,
    Region,
    pack_pairs,
    pack_rows,
    transpose_tiles,
)
from tervit_np.compiled.bf16_sgemm import gradients
from tervit_np.compiled.bias import column_sum
from tervit_np.compiled.float_microkernel import (
    OF_MATRIX_UNIT,
    PAIRS_OF_BF16,
    OfMatrixUnit,
    PairsOfBF16,
)
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.sgemm import workspace

PORTION = 256  # rows that are packed at a time
BLOCK = 2 * SIZE  # rows and columns whose sums are in tiles at a time


@cache
def bf16_tile() -> MatrixTile:
    """Return the matrix unit to compile for: the processor's, if it has one and may be used."""
    able = target.features() >= {"amx-tile", "amx-bf16"}
    return AMX if able and not tile_permission.refusal() else EMULATED


@cache
def bf16_order() -> PairsOfBF16 | OfMatrixUnit:
    """Return how registers make the sums: by the dot product of pairs, if the processor has it."""
    return PAIRS_OF_BF16 if has_dot_of_pairs() else OF_MATRIX_UNIT


def bf16_instructions() -> str:
    """Name the instructions that multiply here, for reports."""
    if bf16_tile() is AMX:
        return "Intel AMX"
    return "AVX-512 BF16" if has_dot_of_pairs() else "float32 multiply-adds (slower than float32)"


def linear_backward_bf16(
    dy: Array, x: Array, weight: Array, split: bool
) -> tuple[Array, Array, Array]:
    """(M, O), (M, I), (O, I) -> dx (M, I), dweight (O, I), dbias (O,).

    With `split`, each number is a sum of two of bfloat16.
    """
    dy, x, weight = map(np.ascontiguousarray, (dy, x, weight))
    if bf16_tile() is AMX:
        dx, dweight = gradients_on_tiles(AMX, dy, x, weight, split)
    else:
        dx, dweight = gradients(bf16_order(), dy, x, weight, 3 if split else 1, *workspace())
    return dx, dweight, column_sum(dy)


def gradients_on_tiles(
    tile: MatrixTile, dy: Array, x: Array, weight: Array, split: bool
) -> tuple[Array, Array]:
    """(M, O), (M, I), (O, I) -> dx (M, I), dweight (O, I)."""
    (rows, outputs), inputs, parts = dy.shape, x.shape[1], 3 if split else 1
    dx = input_gradient(tile, dy, weight, parts)[:rows, : weight.shape[1]]
    dweight = weight_gradient(tile, dy, x, parts)[:outputs, :inputs]
    return np.ascontiguousarray(dx), np.ascontiguousarray(dweight)


@kernel(boundscheck=False)
def input_gradient(tile: MatrixTile, dy: Array, weight: Array, parts: int) -> Array:
    """dx = dy W.  (M, O), (O, I) -> (M', I'), padded to whole blocks."""
    (rows, outputs), columns = dy.shape, weight.shape[1]
    steps, registers = -(-outputs // INPUTS), registers_of(tile)
    b = empty_tiles(columns, steps, parts)
    pack_pairs(weight, Region(0, outputs, 0, columns), parts, B_LOW, b)
    dx = _empty_blocks(rows, columns)
    a = empty_tiles(PORTION, steps, parts)
    configure(tile)
    for m in range(0, rows, PORTION):
        stop = min(m + PORTION, rows)
        pack_rows(dy, Region(m, stop, 0, outputs), parts, a)
        add_product(tile, registers, a, b, steps * parts, m, -(-(stop - m) // BLOCK), True, dx)
    release(tile)
    return dx


@kernel(boundscheck=False)
def weight_gradient(tile: MatrixTile, dy: Array, x: Array, parts: int) -> Array:
    """dW = dy^T x.  (M, O), (M, I) -> (O', I'), padded to whole blocks."""
    (rows, outputs), columns = dy.shape, x.shape[1]
    registers = registers_of(tile)
    dweight = _empty_blocks(outputs, columns)
    configure(tile)
    for m in range(0, max(rows, 1), PORTION):  # sums of no rows are written, too
        stop = min(m + PORTION, rows)
        steps = -(-(stop - m) // INPUTS)
        a, b = empty_tiles(outputs, steps, parts), empty_tiles(columns, steps, parts)
        pack_pairs(dy, Region(m, stop, 0, outputs), parts, A_LOW, a)
        transpose_tiles(-(-outputs // SIZE), steps, parts, a)
        pack_pairs(x, Region(m, stop, 0, columns), parts, B_LOW, b)
        add_product(tile, registers, a, b, steps * parts, 0, dweight.shape[0] // BLOCK, m == 0,
                    dweight)  # fmt: skip
    release(tile)
    return dweight


@kernel(boundscheck=False)
def empty_tiles(outer: int, steps: int, parts: int) -> Array:
    """Return tiles for whole blocks of rows or columns.  -> int32 (O' / 16, S, P, 16, 16)."""
    tiles = -(-outer // BLOCK) * 2
    words = empty_bytes(tiles * steps * parts * TILE_BYTES).view(np.int32)
    return words.reshape((tiles, steps, parts, SIZE, SIZE))


@kernel(boundscheck=False)
def _empty_blocks(rows: int, columns: int) -> Array:
    """Return float32 for whole blocks, that begins at a cache line."""
    rows, columns = -(-rows // BLOCK) * BLOCK, -(-columns // BLOCK) * BLOCK
    return empty_bytes(4 * rows * columns).view(np.float32).reshape((rows, columns))


@kernel(boundscheck=False)
def add_product(
    tile: MatrixTile, registers: Array, a: Array, b: Array, steps: int, row: int, blocks: int,
    first: bool, out: Array,
) -> None:  # fmt: skip
    """Add A B to `blocks` blocks of rows of `out` from `row` on, or begin with it.

    a (M' / 16, S, P, 16, 16), b (N' / 16, S, P, 16, 16), `steps` = S P.
    """
    stride = 4 * out.shape[1]
    for n in range(out.shape[1] // BLOCK):
        for m in range(blocks):
            c = (row + m * BLOCK) * stride + 4 * n * BLOCK
            below = c + SIZE * stride
            if first:
                tile_zero(tile, registers, 0)
                tile_zero(tile, registers, 1)
                tile_zero(tile, registers, 2)
                tile_zero(tile, registers, 3)
            else:
                tile_load(tile, registers, 0, out, c, stride)
                tile_load(tile, registers, 1, out, c + 4 * SIZE, stride)
                tile_load(tile, registers, 2, out, below, stride)
                tile_load(tile, registers, 3, out, below + 4 * SIZE, stride)
            row_bytes = steps * TILE_BYTES
            left, right = 2 * m * row_bytes, 2 * n * row_bytes
            for _ in range(steps):
                tile_load(tile, registers, 4, a, left, 64)
                tile_load(tile, registers, 6, b, right, 64)
                tile_load(tile, registers, 7, b, right + row_bytes, 64)
                tile_load(tile, registers, 5, a, left + row_bytes, 64)
                dot_bf16(tile, registers, 0, 4, 6)
                dot_bf16(tile, registers, 1, 4, 7)
                dot_bf16(tile, registers, 2, 5, 6)
                dot_bf16(tile, registers, 3, 5, 7)
                left += TILE_BYTES
                right += TILE_BYTES
            tile_store(tile, registers, 0, out, c, stride)
            tile_store(tile, registers, 1, out, c + 4 * SIZE, stride)
            tile_store(tile, registers, 2, out, below, stride)
            tile_store(tile, registers, 3, out, below + 4 * SIZE, stride)
