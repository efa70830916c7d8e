"""The product of float32 matrices, to the same bits on every processor.

    C[m, n] = start[m, n] + A[m, 0] B[0, n] + A[m, 1] B[1, n] + ... + A[m, K-1] B[K-1, n]

in this order, each step one fused multiply-add. However many lanes a register has and however the
loops are blocked, each number passes through the same steps, so the result is the same to the last
bit. BLAS promises no order, and its order differs from one processor to the next.

The loops are those of GotoBLAS and BLIS (Goto, van de Geijn 2008), from the outermost inwards:

    columns of B, as many as fit the second cache
        DEPTH steps of K            pack B into panels of NR columns
            ROW_BLOCK rows of A     pack A, unless its rows lie in one piece
                panels of B
                    tiles of A      MR x NR sums stay in registers for DEPTH steps

After DEPTH steps the sums are written to C, from where the next steps go on.
"""

import threading
from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import zeros
from tervit_np.compiled.arithmetic import address_of
from tervit_np.compiled.exponential import F
from tervit_np.compiled.float_tile import (
    FLOAT,
    HALF,
    LANES,
    MR,
    NARROW,
    NR,
    STRIP,
    STRIP_SHAPE,
    WHOLE,
    copy_vectors,
    load_float,
    load_tile,
    multiply_add,
    store_float,
    store_tile,
    transpose_square,
    width_of,
    zero_tile,
)
from tervit_np.compiled.jit import kernel
from tervit_np.target import second_cache

DEPTH = 384
ROW_BLOCK = 2 * STRIP
EDGE_FLOATS, A_FLOATS = MR * NR, ROW_BLOCK * DEPTH  # of the workspace, before B's panels
_ZERO = F(0)


class Matrix(NamedTuple):
    """Float32 numbers in memory: x[m, n] is at address + m row + n column; all in bytes."""

    address: int
    row: int
    column: int


@kernel(boundscheck=False)
def at(x: Matrix, m: int, n: int) -> Matrix:
    """Return the part of a matrix from row m and column n on."""
    return Matrix(x.address + m * x.row + n * x.column, x.row, x.column)


NOTHING = Matrix(0, 0, FLOAT)  # for sums that begin with 0


@kernel(boundscheck=False)
def transposed(x: Matrix) -> Matrix:
    """Return the transpose of a matrix."""
    return Matrix(x.address, x.column, x.row)


@kernel(boundscheck=False)
def matrix_of(x: Array) -> Matrix:
    """Return a contiguous array of two axes as a matrix."""
    return Matrix(address_of(x), x.shape[1] * FLOAT, FLOAT)


@kernel(boundscheck=False)
def sgemm(
    rows: int, columns: int, inner: int, a: Matrix, b: Matrix, start: Matrix, c: Matrix,
    work: int, most_columns: int,
) -> None:  # fmt: skip
    """C = start + A B.  (M, K), (K, N), (M, N) -> (M, N).

    `start` may be C itself, a bias (a row stride of 0), or nothing (an address of 0). C and `start`
    have neighbouring columns. `work` is the address of EDGE_FLOATS + A_FLOATS + DEPTH most_columns
    floats.
    """
    packed_a = work + EDGE_FLOATS * FLOAT
    packed_b = packed_a + A_FLOATS * FLOAT
    block, steps = even(columns, most_columns, NR), even(inner, DEPTH, 1)
    for n in range(0, columns, block):
        width = min(block, columns - n)
        for k in range(0, inner, steps):
            depth = min(steps, inner - k)
            pack(WHOLE, width, depth, at(b, k, n), packed_b)
            begin = start if k == 0 else c
            for m in range(0, rows, ROW_BLOCK):
                multiply_block(
                    min(ROW_BLOCK, rows - m), width, depth, at(a, m, k), packed_a, packed_b,
                    _start_at(begin, m, n), at(c, m, n), work,
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
    rows: int, columns: int, depth: int, a: Matrix, packed_a: int, packed_b: int, start: Matrix,
    c: Matrix, edge: int,
) -> None:  # fmt: skip
    """Multiply at most ROW_BLOCK rows of A by all panels of B."""
    unpacked = rows - rows % MR if a.column == FLOAT else 0  # rows that are read where they are
    turned = Matrix(a.address + unpacked * a.row, a.column, a.row)
    pack(STRIP_SHAPE, rows - unpacked, depth, turned, packed_a)
    for n in range(0, columns, NR):
        b = packed_b + n * depth * FLOAT
        for m in range(0, rows, MR):
            if m < unpacked:
                tile_a = at(a, m, 0)
            else:
                strip, row = divmod(m - unpacked, STRIP)
                first = packed_a + (strip * depth * STRIP + row) * FLOAT
                tile_a = Matrix(first, FLOAT, STRIP * FLOAT)
            multiply_tile(min(MR, rows - m), min(NR, columns - n), depth, tile_a, b,
                          _start_at(start, m, n), at(c, m, n), edge)  # fmt: skip


@kernel(boundscheck=False)
def multiply_tile(
    rows: int, columns: int, depth: int, a: Matrix, b: int, start: Matrix, c: Matrix, edge: int
) -> None:
    """Multiply the rows of a tile by a panel, through a buffer where C has no room for a tile."""
    if rows == MR and columns == NR:
        run_tile(WHOLE, depth, a, b, start, c)
        return
    target = Matrix(edge, NR * FLOAT, FLOAT)
    if start.address:
        copy_tile(rows, columns, start, target)
        start = target
    if columns > 2 * LANES:
        run_tile(WHOLE, depth, a, b, start, target)
    elif columns > LANES:
        run_tile(HALF, depth, a, b, start, target)
    else:
        run_tile(NARROW, depth, a, b, start, target)
    copy_tile(rows, columns, target, c)


@kernel(boundscheck=False)
def run_tile(shape: Any, depth: int, a: Matrix, b: int, start: Matrix, c: Matrix) -> None:
    """Sum `depth` steps in registers: the innermost loop."""
    if start.address:
        tile: Any = load_tile(shape, start.address, start.row)
    else:
        tile = zero_tile(shape)
    step = a.address
    for _ in range(depth // 2):  # two steps a turn: fewer instructions that only count
        tile = multiply_add(tile, step, a.row, b)
        tile = multiply_add(tile, step + a.column, a.row, b + NR * FLOAT)
        step += 2 * a.column
        b += 2 * NR * FLOAT
    if depth % 2:
        tile = multiply_add(tile, step, a.row, b)
    store_tile(tile, c.address, c.row)


@kernel(boundscheck=False)
def copy_tile(rows: int, columns: int, source: Matrix, target: Matrix) -> None:
    """Copy numbers between matrices with neighbouring columns."""
    for m in range(rows):
        one, two, n = source.address + m * source.row, target.address + m * target.row, 0
        while n + LANES <= columns:
            copy_vectors(NARROW, one + n * FLOAT, two + n * FLOAT)
            n += LANES
        while n < columns:
            store_float(two + n * FLOAT, load_float(one + n * FLOAT))
            n += 1


@kernel(boundscheck=False)
def pack(shape: Any, columns: int, depth: int, x: Matrix, out: int) -> None:
    """Copy x (depth, columns) into panels of `shape`'s width, each row by row.

    The columns that a last panel lacks are zeros as far as its last register.
    """
    width: int = width_of(shape)
    for n in range(0, columns, width):
        panel, part = out + n * depth * FLOAT, at(x, 0, n)
        if part.column == FLOAT and n + width <= columns:
            for k in range(depth):
                copy_vectors(shape, part.address + k * part.row, panel + k * width * FLOAT)
            continue
        for v in range(0, min(width, columns - n), LANES):
            register = Matrix(panel + v * FLOAT, width * FLOAT, FLOAT)
            pack_register(min(LANES, columns - n - v), depth, at(part, 0, v), register)


@kernel(boundscheck=False)
def pack_register(columns: int, depth: int, x: Matrix, out: Matrix) -> None:
    """Copy at most LANES columns, turning squares of rows and columns where columns are runs."""
    k = 0
    if columns == LANES and x.column == FLOAT:
        while k < depth:
            copy_vectors(NARROW, x.address + k * x.row, out.address + k * out.row)
            k += 1
    if columns == LANES and x.row == FLOAT:
        while k + LANES <= depth:
            transpose_square(x.address + k * FLOAT, x.column, out.address + k * out.row, out.row)
            k += LANES
    for row in range(k, depth):
        source, target = at(x, row, 0), at(out, row, 0)
        for n in range(LANES):
            value = load_float(source.address + n * x.column) if n < columns else _ZERO
            store_float(target.address + n * FLOAT, value)


_own = threading.local()


def workspace() -> tuple[int, int]:
    """Return the address of this thread's workspace, and for how many columns of B it is made."""
    if not hasattr(_own, "workspace"):
        columns = max(second_cache() // 2 // (DEPTH * FLOAT) // NR, 1) * NR
        _own.array = zeros((EDGE_FLOATS + A_FLOATS + DEPTH * columns,), np.float32)
        _own.workspace = _own.array.ctypes.data, columns
    found: tuple[int, int] = _own.workspace
    return found
