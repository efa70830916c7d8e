"""Rows of A that the tiles of the float product fetch for the tiles after them.

The next rows come from the third cache or from memory, which takes 100 cycles and more to answer,
and a panel reads so few numbers of each that the processor sees no pattern to fetch ahead by
itself. A tile leaves a third of the loads that a processor could do unused, so what is asked for
early costs little. A fetched line is overwritten in the first cache and waits in the second.
"""

from tervit_np.compiled.float_copies import prefetch_tile
from tervit_np.compiled.float_panels import Matrix
from tervit_np.compiled.float_tile import FLOAT, LANES, LINE, MR, ONE_VECTOR
from tervit_np.compiled.jit import kernel

# Numbers of a matrix that a second cache may still hold from whoever wrote it: half of Zen 2's.
NEAR = 2**16


@kernel(boundscheck=False)
def looks_ahead(rows: int, columns: int, a: Matrix) -> bool:
    """Tell whether rows are fetched ahead: those of a large matrix.

    With AVX-512 only those that are read across, as in dw; others lost 1 % by it on a Zen 5. With
    other registers than those of AVX it has not been measured.
    """
    return (LANES == 8 or (LANES == 16 and a.row == FLOAT)) and rows * columns > NEAR


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
