"""The product of float32 matrices, to the same bits on every processor.

    C[m, n] = start[m, n] + A[m, 0] B[0, n] + A[m, 1] B[1, n] + ... + A[m, K-1] B[K-1, n]

in this order, each step one fused multiply-add. However many lanes a register has and however the
loops are blocked, each number passes through the same steps, so the result is the same to the last
bit. BLAS promises no order, and its order differs from one processor to the next.

The loops are those of GotoBLAS and BLIS (Goto, van de Geijn 2008), from the outermost inwards:

    columns of B, as many as fit the second cache
        steps of K                  pack B into panels of NR columns
            ROW_BLOCK rows of A     pack A, unless its rows are contiguous
                panels of B
                    tiles of A      MR x NR sums stay in registers for these steps

After a block of steps the sums are written to C, from where the next block goes on.

The same loops make sums in the order of a matrix unit for bfloat16 (amx.py), where there is none:
32 steps at a time, of which the even ones and the odd ones are summed apart, from 0.
"""

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from tervit_np.compiled.aligned import zeros
from tervit_np.compiled.float_panels import NOTHING, SPARE, Matrix, at, copy_tile, pack, pack_rows
from tervit_np.compiled.float_tile import (
    FLOAT,
    FULL,
    HALF,
    LANES,
    MR,
    NR,
    ONE_VECTOR,
    add_tiles,
    load_tile,
    multiply_add,
    prefetch_tile,
    store_tile,
    zero_tile,
)
from tervit_np.compiled.jit import kernel
from tervit_np.target import second_cache

# Steps of a block whose rows of A are packed, and of other blocks, which write C less often. A
# panel of 16 columns stays in the first cache while tiles of A pass; one of 64 columns comes from
# the second cache.
DEPTH, LONG_DEPTH = (384, 1536) if NR == 64 else (256, 384)
ROW_BLOCK = 16 * MR
# Of the workspace, before B's panels.
EDGE_FLOATS, A_FLOATS = MR * NR, max(ROW_BLOCK * (DEPTH + SPARE), MR * (LONG_DEPTH + SPARE))

UNIT_STEPS = 32


class InTurn(NamedTuple):
    """The order of sums in which each step comes after the one before."""

    steps: int = 1  # of which K is a multiple


class OfMatrixUnit(NamedTuple):
    """The order of a matrix unit."""

    steps: int = UNIT_STEPS


IN_TURN, OF_MATRIX_UNIT = InTurn(), OfMatrixUnit()


@kernel(boundscheck=False)
def sgemm(
    order: Any, rows: int, columns: int, inner: int, a: Matrix, b: Matrix, start: Matrix,
    c: Matrix, work: int, most_columns: int,
) -> None:  # fmt: skip
    """C = start + A B in one of two orders.  (M, K), (K, N), (M, N) -> (M, N).

    `start` may be C itself, a bias (a row stride of 0), or nothing (an address of 0). C and `start`
    have neighbouring columns. `work` is the address of EDGE_FLOATS + A_FLOATS + DEPTH most_columns
    floats.
    """
    packed_a = work + EDGE_FLOATS * FLOAT
    packed_b = packed_a + A_FLOATS * FLOAT
    steps = even(inner, LONG_DEPTH if a.column == FLOAT else DEPTH, order.steps)
    most_columns = max(min(DEPTH * most_columns // steps, most_columns) // NR, 1) * NR
    block = even(columns, most_columns, NR)
    for n in range(0, columns, block):
        width = min(block, columns - n)
        for k in range(0, inner, steps):
            depth = min(steps, inner - k)
            pack(FULL, width, depth, at(b, k, n), packed_b)
            begin = start if k == 0 else c
            for m in range(0, rows, ROW_BLOCK):
                multiply_block(
                    order, min(ROW_BLOCK, rows - m), width, depth, at(a, m, k), packed_a,
                    packed_b, _start_at(begin, m, n), at(c, m, n), work,
                )  # fmt: skip


@kernel(boundscheck=False)
def even(count: int, most: int, unit: int) -> int:
    """Return the size of blocks of at most `most`, none much smaller than the others."""
    blocks = -(-count // most)
    return max(-(-count // (blocks * unit)), 1) * unit


@kernel(boundscheck=False)
def _start_at(start: Matrix, m: int, n: int) -> Matrix:
    return at(start, m, n) if start.address else start


@kernel(boundscheck=False)
def multiply_block(
    order: Any, rows: int, columns: int, depth: int, a: Matrix, packed_a: int, packed_b: int,
    start: Matrix, c: Matrix, edge: int,
) -> None:  # fmt: skip
    """Multiply at most ROW_BLOCK rows of A by all panels of B."""
    unpacked = rows - rows % MR if a.column == FLOAT else 0  # rows that are read where they are
    pack_rows(rows - unpacked, depth, at(a, unpacked, 0), packed_a)
    for n in range(0, columns, NR):
        b = Matrix(packed_b + n * depth * FLOAT, NR * FLOAT, FLOAT)
        for m in range(0, rows, MR):
            if m < unpacked:
                tile_a = at(a, m, 0)
            else:
                group = packed_a + (m - unpacked) * (depth + SPARE) * FLOAT
                tile_a = Matrix(group, FLOAT, MR * FLOAT)
            multiply_tile(order, min(MR, rows - m), min(NR, columns - n), depth, tile_a, b,
                          _start_at(start, m, n), at(c, m, n), edge)  # fmt: skip


@kernel(boundscheck=False)
def multiply_tile(
    order: Any, rows: int, columns: int, depth: int, a: Matrix, b: Matrix, start: Matrix,
    c: Matrix, edge: int,
) -> None:  # fmt: skip
    """Multiply the rows of a tile by a panel, through a buffer where a tile would exceed C."""
    if rows == MR and columns == NR:
        sum_tile(order, FULL, depth, a, b, start, c)
        return
    target = Matrix(edge, NR * FLOAT, FLOAT)
    if start.address:
        copy_tile(rows, columns, start, target)
        start = target
    if columns > 2 * LANES:
        sum_tile(order, FULL, depth, a, b, start, target)
    elif columns > LANES:
        sum_tile(order, HALF, depth, a, b, start, target)
    else:
        sum_tile(order, ONE_VECTOR, depth, a, b, start, target)
    copy_tile(rows, columns, target, c)


def sum_tile(
    order: Any, shape: Any, depth: int, a: Matrix, b: Matrix, start: Matrix, c: Matrix
) -> None:
    """Sum `depth` steps in an order."""
    raise NotImplementedError("sum_tile exists only in compiled code")


@overload(sum_tile, strict=False)  # strict would compare annotations as well as names
def _sum_tile(
    order: types.NamedUniTuple, shape: types.NamedUniTuple, depth: int, a: Matrix, b: Matrix,
    start: Matrix, c: Matrix,
) -> Callable[..., None]:  # fmt: skip
    in_turn = issubclass(order.instance_class, InTurn)
    run = run_tile if in_turn else run_unit_tile
    return lambda order, shape, depth, a, b, start, c: run(shape, depth, a, b, start, c)


@kernel(boundscheck=False)
def run_tile(shape: Any, depth: int, a: Matrix, b: Matrix, start: Matrix, c: Matrix) -> None:
    """Sum `depth` steps in registers: the innermost loop.  The columns of b are neighbours."""
    if start.address:
        tile: Any = load_tile(shape, start.address, start.row)
    else:
        tile = zero_tile(shape)
    prefetch_tile(shape, c.address + MR * c.row, c.row)  # where the next tile is written
    left, right = a.address, b.address
    for _ in range(depth // 2):  # two steps a turn: fewer instructions that only count
        tile = multiply_add(tile, left, a.row, right)
        tile = multiply_add(tile, left + a.column, a.row, right + b.row)
        left += 2 * a.column
        right += 2 * b.row
    if depth % 2:
        tile = multiply_add(tile, left, a.row, right)
    store_tile(tile, c.address, c.row)


@kernel(boundscheck=False)
def run_unit_tile(shape: Any, depth: int, a: Matrix, b: Matrix, start: Matrix, c: Matrix) -> None:
    """Sum groups of UNIT_STEPS steps as a matrix unit does: tile + (even steps + odd steps)."""
    if start.address:
        tile: Any = load_tile(shape, start.address, start.row)
    else:
        tile = zero_tile(shape)
    prefetch_tile(shape, c.address + MR * c.row, c.row)
    for k in range(0, depth, UNIT_STEPS):
        even = sum_every_other(shape, at(a, 0, k), at(b, k, 0))
        odd = sum_every_other(shape, at(a, 0, k + 1), at(b, k + 1, 0))
        tile = add_tiles(tile, add_tiles(even, odd))
    store_tile(tile, c.address, c.row)


@kernel(boundscheck=False)
def sum_every_other(shape: Any, a: Matrix, b: Matrix) -> Any:
    """Return the sums of steps 0, 2, 4, ... of UNIT_STEPS."""
    tile, left, right = zero_tile(shape), a.address, b.address
    for _ in range(UNIT_STEPS // 2):
        tile = multiply_add(tile, left, a.row, right)
        left += 2 * a.column
        right += 2 * b.row
    return tile


@kernel(boundscheck=False)
def multiply_rows(columns: int, depth: int, a: Matrix, b: Matrix, c: Matrix) -> None:
    """C = A B for MR rows and whole registers of columns, nothing packed: for small matrices."""
    n = 0
    while n + NR <= columns:
        run_tile(FULL, depth, a, at(b, 0, n), NOTHING, at(c, 0, n))
        n += NR
    if n + 2 * LANES <= columns:
        run_tile(HALF, depth, a, at(b, 0, n), NOTHING, at(c, 0, n))
        n += 2 * LANES
    if n < columns:
        run_tile(ONE_VECTOR, depth, a, at(b, 0, n), NOTHING, at(c, 0, n))


_own = threading.local()


def workspace() -> tuple[int, int]:
    """Return the address of this thread's workspace, and for how many columns of B it is made."""
    if not hasattr(_own, "workspace"):
        columns = max(second_cache() // 2 // (DEPTH * FLOAT) // NR, LONG_DEPTH // DEPTH) * NR
        _own.array = zeros((EDGE_FLOATS + A_FLOATS + DEPTH * columns,), np.float32)
        _own.workspace = _own.array.ctypes.data, columns
    found: tuple[int, int] = _own.workspace
    return found
