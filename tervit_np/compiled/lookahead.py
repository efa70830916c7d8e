"""What a tile of the float product brings nearer for the tiles after it.

    panel j + 1 of B            is copied while panel j is multiplied, a part by each tile of rows
    the next rows of A          are fetched, a part by each tile of a block

Both come from the third cache or from memory, which takes 100 cycles and more to answer. A tile
leaves a third of the loads that a processor could do unused, so what is asked for a tile early
costs next to nothing. A fetched line is overwritten in the first cache and waits in the second.
"""

from tervit_np.compiled.float_copies import prefetch_line, prefetch_tile
from tervit_np.compiled.float_panels import STEPS, Matrix, at, pack_panel
from tervit_np.compiled.float_tile import FLOAT, FULL, LANES, LINE, MR, NR, ONE_VECTOR
from tervit_np.compiled.jit import kernel

# Numbers of a matrix that a second cache may still hold from whoever wrote it: half of Zen 2's.
NEAR = 2**16


@kernel(boundscheck=False)
def looks_ahead(rows: int, columns: int) -> bool:
    """Tell whether a matrix is brought nearer ahead of its use: a large one, on AVX2.

    Elsewhere it has not been measured; a block of B is copied before its tiles are multiplied.
    """
    return LANES == 8 and rows * columns > NEAR


@kernel(boundscheck=False)
def copied_steps(tiles: int, depth: int) -> int:
    """Return how many steps of a panel each of `tiles` copies."""
    return -(-depth // (tiles * STEPS)) * STEPS


@kernel(boundscheck=False)
def copy_next_panel(i: int, steps: int, columns: int, depth: int, b: Matrix, out: int) -> None:
    """Copy part i of a panel, `steps` steps; `columns` are those of B from this panel on.

    Where rows of B are contiguous, the lines of the part after it are fetched: those of part 0 of
    the panel after this one, if this is the last.
    """
    k = i * steps
    if k >= depth or columns <= 0:
        return
    pack_panel(FULL, columns, min(steps, depth - k), at(b, k, 0), out + k * NR * FLOAT)
    if b.column == FLOAT:
        following = at(b, k + steps, 0) if k + steps < depth else at(b, 0, NR)
        for step in range(steps):
            prefetch_line(following.address + step * b.row)


@kernel(boundscheck=False)
def fetched_units(tiles: int, panels: int, depth: int, a: Matrix) -> int:
    """Return the part of a tile: lines of each of MR rows, or steps of all rows of a block."""
    if a.column == FLOAT:
        return -(-depth * FLOAT // (LINE * panels))
    return -(-depth // (tiles * panels))


@kernel(boundscheck=False)
def fetch_rows(i: int, j: int, tiles: int, units: int, depth: int, a: Matrix) -> None:
    """Fetch the part of the next rows of A that falls to tile i of `tiles` at panel j."""
    if a.column == FLOAT:
        rows = a.address + i * MR * a.row
        for byte in range(j * units * LINE, min((j + 1) * units * LINE, depth * FLOAT), LINE):
            prefetch_tile(ONE_VECTOR, rows + byte, a.row)
    elif a.row == FLOAT:
        first = (j * tiles + i) * units
        for k in range(first, min(first + units, depth)):  # ROW_BLOCK numbers are MR lines
            prefetch_tile(ONE_VECTOR, a.address + k * a.column, LINE)
