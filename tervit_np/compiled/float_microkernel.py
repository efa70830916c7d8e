"""The innermost loop of the float product: one tile of C through K steps, in one of two orders.

    IN_TURN             C[m, n] = start[m, n] + A[m, 0] B[0, n] + A[m, 1] B[1, n] + ...
    OF_MATRIX_UNIT      the order of a matrix unit for bfloat16 (amx.py), where there is none: 32
                        steps at a time, the even ones and the odd ones summed apart, from 0
    PAIRS_OF_BF16       the same sums, where A and B hold pairs of bfloat16 numbers (bf16_dot.py):
                        words 0, 2, 4, ... the even steps 0 and 2, 4 and 6, 8 and 10, ..., words
                        1, 3, 5, ... the odd steps

The sums of MR x NR numbers of C stay in registers (float_tile.py); a tile that would exceed C is
summed in a buffer.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from numba import types
from numba.extending import overload

from tervit_np.compiled.float_copies import prefetch_tile
from tervit_np.compiled.float_panels import NOTHING, Matrix, at, copy_tile
from tervit_np.compiled.float_tile import (
    FLOAT,
    FULL,
    HALF,
    LANES,
    MR,
    NR,
    ONE_VECTOR,
    add_products_of_pairs,
    add_tiles,
    load_tile,
    multiply_add,
    store_tile,
    vectors_of,
    width_of,
    zero_tile,
)
from tervit_np.compiled.jit import kernel

UNIT_STEPS = 32


class InTurn(NamedTuple):
    """The order of sums in which each step comes after the one before."""

    steps: int = 1  # of which K is a multiple


class OfMatrixUnit(NamedTuple):
    """The order of a matrix unit."""

    steps: int = UNIT_STEPS


class PairsOfBF16(NamedTuple):
    """The order of a matrix unit, two steps in each word."""

    steps: int = UNIT_STEPS // 2


IN_TURN, OF_MATRIX_UNIT, PAIRS_OF_BF16 = InTurn(), OfMatrixUnit(), PairsOfBF16()


def is_paired(order: types.NamedUniTuple) -> bool:
    """Tell from the type of an order whether each word holds two steps."""
    return issubclass(order.instance_class, PairsOfBF16)


@kernel(boundscheck=False)
def multiply_edge(
    order: Any, rows: int, columns: int, depth: int, a: Matrix, b: Matrix, start: Matrix,
    c: Matrix, buffer: int,
) -> None:  # fmt: skip
    """Multiply the rows of a tile that would exceed C by a panel, through a buffer."""
    target = Matrix(buffer, NR * FLOAT, FLOAT)
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
    if is_paired(order):
        run = run_pairs if vectors_of(shape) <= 2 else run_pairs_in_halves
    else:
        run = run_tile if issubclass(order.instance_class, InTurn) else run_unit_tile
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
def run_pairs(shape: Any, depth: int, a: Matrix, b: Matrix, start: Matrix, c: Matrix) -> None:
    """Sum groups of words, even ones and odd ones at once.

    These sums take 24 registers where the tile is two wide. The compiler keeps those of the groups
    before on the stack meanwhile: C itself may be in no near cache.
    """
    if start.address:
        tile: Any = load_tile(shape, start.address, start.row)
    else:
        tile = zero_tile(shape)
    prefetch_tile(shape, c.address + MR * c.row, c.row)
    left, right = a.address, b.address
    for _ in range(0, depth, PAIRS_OF_BF16.steps):
        even: Any = zero_tile(shape)
        odd: Any = zero_tile(shape)
        for _ in range(PAIRS_OF_BF16.steps // 2):
            even = add_products_of_pairs(even, left, a.row, right)
            odd = add_products_of_pairs(odd, left + a.column, a.row, right + b.row)
            left += 2 * a.column
            right += 2 * b.row
        tile = add_tiles(tile, add_tiles(even, odd))
    store_tile(tile, c.address, c.row)


@kernel(boundscheck=False)
def run_pairs_in_halves(
    shape: Any, depth: int, a: Matrix, b: Matrix, start: Matrix, c: Matrix
) -> None:
    """Sum a tile four registers wide, one half after the other."""
    run_pairs(HALF, depth, a, b, start, c)
    n = width_of(HALF)
    begin = at(start, 0, n) if start.address else start
    run_pairs(HALF, depth, a, at(b, 0, n), begin, at(c, 0, n))


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
