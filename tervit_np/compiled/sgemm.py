"""The product of float32 matrices, to the same bits on every processor.

    C[m, n] = start[m, n] + A[m, 0] B[0, n] + A[m, 1] B[1, n] + ... + A[m, K-1] B[K-1, n]

in this order, each step one fused multiply-add. However many lanes a register has and however the
loops are blocked, each number passes through the same steps, so the result is the same to the last
bit. BLAS promises no order, and its order differs from one processor to the next.

The loops are those of GotoBLAS and BLIS (Goto, van de Geijn 2008), from the outermost inwards:

    columns of B, as many as fit the second cache
        steps of K                  pack B into panels of NR columns, unless they stay in place
            ROW_BLOCK rows of A     pack A, unless read_in_place
                panels of B
                    tiles of A      MR x NR sums stay in registers for these steps

After a block of steps the sums are written to C, from where the next block goes on. Tiles fetch the
next rows of A where that is faster (lookahead.py).

The same loops make sums in the order of a matrix unit for bfloat16 (float_microkernel.py).
"""

import threading
from typing import Any

import numpy as np

from tervit_np.compiled.aligned import zeros
from tervit_np.compiled.float_microkernel import multiply_edge, sum_tile
from tervit_np.compiled.float_panels import NOTHING, Matrix, at, pack, pack_rows
from tervit_np.compiled.float_tile import FLOAT, FULL, LANES, LINE, MR, NR
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.lookahead import fetch_rows, fetched_units, looks_ahead
from tervit_np.target import second_cache

# Steps of a block where A is read across its rows, and of others, which write C less often. A
# panel of 16 columns stays in the first cache while tiles of A pass; one of 64 columns comes from
# the second cache. With AVX2 the first cache also holds what tiles fetch, and the second holds two
# blocks of rows beside the panels.
DEPTH, LONG_DEPTH = {16: (384, 1536), 8: (192, 192)}.get(LANES, (256, 384))
ROW_BLOCK = 16 * MR
# Bytes between groups of packed rows. A step is copied into all groups; if their distance were a
# multiple of 2 KiB, its lines would compete for two sets of the first cache.
APART = LINE
NEAR_STEPS = 16 * LINE  # bytes from one step of A to the next, at most, if AVX2 does not copy it
PAGE = 4096  # bytes; steps a multiple of it apart compete for few sets of a cache
# Of the workspace, before B's panels.
EDGE_FLOATS = MR * NR
A_FLOATS = max(ROW_BLOCK // MR * (DEPTH * MR + APART // FLOAT), MR * LONG_DEPTH)


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
    fetches_ahead = looks_ahead(rows, inner, a)
    for n in range(0, columns, block):
        width = min(block, columns - n)
        in_place = columns_in_place(b, width, steps)
        for k in range(0, max(inner, 1), steps):  # with no steps, C = start is still written
            depth, begin = min(steps, inner - k), start if k == 0 else c
            block_b = at(b, k, n)
            pack(FULL, width - in_place, depth, at(block_b, 0, in_place), packed_b)
            next_steps = at(a, 0, k + depth if k + depth < inner else 0)
            for m in range(0, rows, ROW_BLOCK):
                after = m + ROW_BLOCK
                next_a = at(a, after, k) if after < rows else next_steps
                multiply_block(
                    order, min(ROW_BLOCK, rows - m), width, depth, at(a, m, k),
                    next_a if fetches_ahead else NOTHING, block_b, in_place, packed_a, packed_b,
                    _start_at(begin, m, n), at(c, m, n), work,
                )  # fmt: skip


@kernel(boundscheck=False)
def even(count: int, most: int, unit: int) -> int:
    """Return the size of blocks of at most `most`, none much smaller than the others."""
    blocks = max(-(-count // most), 1)
    return max(-(-count // (blocks * unit)), 1) * unit


@kernel(boundscheck=False)
def read_in_place(a: Matrix) -> bool:
    """Tell whether tiles read rows of A where they are, in place of a copy.

    They do where each row is contiguous. Where the numbers of each step are contiguous, they do if
    the second cache answers early enough: with AVX-512 unless the lines of the steps compete for
    few of its sets, on AVX2 for steps near each other.
    """
    if a.column == FLOAT:
        return True
    if a.row != FLOAT:
        return False
    if LANES == 16:
        return a.column % PAGE != 0
    return LANES == 8 and a.column <= NEAR_STEPS


@kernel(boundscheck=False)
def columns_in_place(b: Matrix, columns: int, steps: int) -> int:
    """Return how many columns of B tiles read where they are: those of whole panels, or none.

    With AVX-512 a tile takes four lines from each step, which reach it from the second cache as
    fast as from a panel. Where B is read for few rows of A, a copy would cost most: 9 % of a dw
    with 128 outputs.
    """
    stays = LANES == 16 and b.column == FLOAT and steps <= DEPTH and b.row % PAGE != 0
    return columns // NR * NR if stays else 0


@kernel(boundscheck=False)
def _start_at(start: Matrix, m: int, n: int) -> Matrix:
    return at(start, m, n) if start.address else start


@kernel(boundscheck=False)
def multiply_block(
    order: Any, rows: int, columns: int, depth: int, a: Matrix, next_a: Matrix, b: Matrix,
    in_place: int, packed_a: int, packed_b: int, start: Matrix, c: Matrix, buffer: int,
) -> None:  # fmt: skip
    """Multiply at most ROW_BLOCK rows of A by all panels of B.

    The first `in_place` columns of B are read where they are, the others were packed. next_a are
    the rows that are multiplied next if they are to be fetched. The loop of a whole tile is
    compiled into this function, since a call to each tile would cost time.
    """
    unpacked = rows - rows % MR if read_in_place(a) else 0
    group_bytes = depth * MR * FLOAT + APART
    pack_rows(rows - unpacked, depth, at(a, unpacked, 0), packed_a, group_bytes)
    tiles, panels = -(-rows // MR), -(-columns // NR)
    units = fetched_units(tiles, panels, depth, next_a)
    for n in range(0, columns, NR):
        panel = Matrix(packed_b + (n - in_place) * depth * FLOAT, NR * FLOAT, FLOAT)
        if n < in_place:
            panel = at(b, 0, n)
        for m in range(0, rows, MR):
            if next_a.address:
                fetch_rows(m // MR, n // NR, tiles, units, depth, next_a)
            if m < unpacked:
                tile_a = at(a, m, 0)
            else:
                tile_a = Matrix(packed_a + (m - unpacked) // MR * group_bytes, FLOAT, MR * FLOAT)
            begin, target = _start_at(start, m, n), at(c, m, n)
            if m + MR <= rows and n + NR <= columns:
                sum_tile(order, FULL, depth, tile_a, panel, begin, target)
            else:
                multiply_edge(order, min(MR, rows - m), min(NR, columns - n), depth, tile_a, panel,
                              begin, target, buffer)  # fmt: skip


def fewest_panels(depth: int, long_depth: int) -> int:
    """Return how many panels of `depth` steps take the memory of one of `long_depth`."""
    return -(-long_depth // depth)


_own = threading.local()


def workspace() -> tuple[int, int]:
    """Return the address of this thread's workspace, and for how many columns of B it is made."""
    if not hasattr(_own, "workspace"):
        panels = max(second_cache() // 2 // (DEPTH * NR * FLOAT), fewest_panels(DEPTH, LONG_DEPTH))
        columns = panels * NR
        _own.array = zeros((EDGE_FLOATS + A_FLOATS + DEPTH * columns,), np.float32)
        _own.workspace = _own.array.ctypes.data, columns
    found: tuple[int, int] = _own.workspace
    return found
