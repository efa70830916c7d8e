"""Float32 matrices in memory, and the panels into which the float product copies them.

    panel p, step k, column j  =  x[k, width p + j]        0 beyond the last column

A panel holds `width` columns, all of a step next to each other, one step after the other: the
order in which a tile (float_tile.py) reads them, whatever the strides of x.
"""

from typing import Any, NamedTuple

from tervit_np.arrays import Array
from tervit_np.compiled.arithmetic import address_of
from tervit_np.compiled.exponential import F
from tervit_np.compiled.float_copies import (
    GROUP_STEPS,
    copy_group,
    copy_vectors,
    load_float,
    store_float,
    transpose_square,
)
from tervit_np.compiled.float_tile import FLOAT, LANES, MR, ONE_VECTOR, width_of
from tervit_np.compiled.jit import kernel

STEPS = 16  # that are copied together; whole squares of any register
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
def copy_tile(rows: int, columns: int, source: Matrix, target: Matrix) -> None:
    """Copy numbers between matrices with neighbouring columns."""
    for m in range(rows):
        one, two, n = source.address + m * source.row, target.address + m * target.row, 0
        while n + LANES <= columns:
            copy_vectors(ONE_VECTOR, one + n * FLOAT, two + n * FLOAT)
            n += LANES
        while n < columns:
            store_float(two + n * FLOAT, load_float(one + n * FLOAT))
            n += 1


@kernel(boundscheck=False)
def pack(shape: Any, columns: int, depth: int, x: Matrix, out: int) -> None:
    """Copy x (depth, columns) into panels of `shape`'s width, each row by row.

    The columns that a last panel lacks are zeros as far as its last register. Some steps of all
    panels are copied at a time, so that x is read in runs and not line by line.
    """
    width: int = width_of(shape)
    for k in range(0, depth, STEPS):
        steps = min(STEPS, depth - k)
        for n in range(0, columns, width):
            panel = out + (n * depth + k * width) * FLOAT
            pack_panel(shape, columns - n, steps, at(x, k, n), panel)


@kernel(boundscheck=False)
def pack_panel(shape: Any, columns: int, steps: int, x: Matrix, out: int) -> None:
    """Copy some steps of a panel; `columns` are those from its first one on."""
    width: int = width_of(shape)
    if x.column == FLOAT and width <= columns:
        for k in range(steps):
            copy_vectors(shape, x.address + k * x.row, out + k * width * FLOAT)
        return
    for v in range(0, min(width, columns), LANES):
        register = Matrix(out + v * FLOAT, width * FLOAT, FLOAT)
        pack_register(min(LANES, columns - v), steps, at(x, 0, v), register)


@kernel(boundscheck=False)
def pack_register(columns: int, depth: int, x: Matrix, out: Matrix) -> None:
    """Copy at most LANES columns, turning squares of rows and columns where columns are runs."""
    k = 0
    if columns == LANES and x.column == FLOAT:
        while k < depth:
            copy_vectors(ONE_VECTOR, x.address + k * x.row, out.address + k * out.row)
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


@kernel(boundscheck=False)
def pack_rows(rows: int, depth: int, a: Matrix, out: int, group_bytes: int) -> None:
    """Copy a (rows, depth) in groups of MR rows: group m // MR, step k, row r = a[m + r, k].

    Rows that the last group lacks are zeros. Groups are `group_bytes` apart.
    """
    whole = rows // MR if a.row == FLOAT and a.column >= MR * FLOAT else 0
    together = depth // GROUP_STEPS * GROUP_STEPS  # steps
    for k in range(0, together, GROUP_STEPS):
        source, target = a.address + k * a.column, out + k * MR * FLOAT
        for _ in range(whole):
            copy_group(source, a.column, target)
            source += MR * FLOAT
            target += group_bytes
    for group in range(-(-rows // MR)):
        k, m, target = together if group < whole else 0, group * MR, out + group * group_bytes
        pack_steps(min(MR, rows - m), depth - k, at(a, m, k), target + k * MR * FLOAT)


@kernel(boundscheck=False)
def pack_steps(rows: int, steps: int, a: Matrix, out: int) -> None:
    """Copy some steps of a group number by number, zeros for the rows that it lacks."""
    for k in range(steps):
        source, target = at(a, 0, k), out + k * MR * FLOAT
        for r in range(MR):
            value = load_float(source.address + r * source.row) if r < rows else _ZERO
            store_float(target + r * FLOAT, value)
