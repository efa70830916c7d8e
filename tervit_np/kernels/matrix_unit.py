"""Intel's matrix unit in NumPy: eight tiles, and how a product is made of them. To be read first.

    C[m, n] = sum over k of A[m, k] B[k, n]          A (M, K), B (K, N)

The formula is three loops over numbers. `multiply` is the same three loops over tiles: each turn of
the innermost loads a tile of A and a tile of B, and one instruction adds all their 16 x 16 x 64
products to a tile of C. The compiled kernels differ in what surrounds these loops: caches, two
tiles on each side, unpacking of weights (amx_gemm.py).

A row of a tile has 64 bytes. A tile of A holds 64 inputs of 16 rows as they are. In a tile of B,
the four inputs that one column multiplies at a time are neighbours: row i holds inputs 4 i to
4 i + 3 of all columns. With bfloat16, a row of A holds 32 inputs, and neighbours are pairs.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.bfloat16 import bfloat16_bits, floats_of

ROWS, INPUTS = 16, 64  # of a tile, in bytes


class MatrixUnit:
    """Eight tiles of 16 rows of 64 bytes, and the instructions that this project uses."""

    def __init__(self) -> None:
        self.tiles = np.zeros((8, ROWS, INPUTS), np.uint8)

    def zero(self, t: int) -> None:
        """Set a tile to zero: tilezero."""
        self.tiles[t] = 0

    def load(self, t: int, rows: Array) -> None:
        """Copy 16 rows of 64 bytes to a tile: tileloadd."""
        self.tiles[t] = np.ascontiguousarray(rows).view(np.uint8)

    def sums(self, t: int) -> Array:
        """Return a tile as sums, to be stored: tilestored.  -> int32 (16, 16)."""
        return self.tiles[t].view(np.int32)

    def dot_int8(self, c: int, a: int, b: int) -> None:
        """C += A B of signed bytes: tdpbssd."""
        left = self.tiles[a].view(np.int8).astype(np.int32)  # (16 rows, 64 inputs)
        right = from_groups(self.tiles[b].view(np.int8), 4).astype(np.int32)  # (64, 16)
        self.tiles[c].view(np.int32)[...] += left @ right

    def dot_bf16(self, c: int, a: int, b: int) -> None:
        """C += A B of bfloat16, in the order of the unit: tdpbf16ps.

        Sums of even and of odd inputs begin at zero, and are added to the tile in the end.
        """
        left = floats_of(self.tiles[a].view(np.uint16))  # (16 rows, 32 inputs)
        right = floats_of(from_groups(self.tiles[b].view(np.uint16), 2))  # (32, 16)
        even, odd = np.zeros((2, ROWS, ROWS), np.float32)
        for k in range(0, 32, 2):
            even += left[:, k, None] * right[k]
            odd += left[:, k + 1, None] * right[k + 1]
        self.tiles[c].view(np.float32)[...] += even + odd


def in_groups(b: Array, group: int) -> Array:
    """Put each `group` of inputs of a column next to each other.  (K, N) -> (K / g, N g)."""
    inputs, columns = b.shape
    return b.reshape(inputs // group, group, columns).swapaxes(1, 2).reshape(-1, columns * group)


def from_groups(tile: Array, group: int) -> Array:
    """Undo `in_groups`.  (K / g, N g) -> (K, N)."""
    rows, width = tile.shape
    return tile.reshape(rows, width // group, group).swapaxes(1, 2).reshape(rows * group, -1)


def multiply(a: Array, b: Array) -> Array:
    """A B on the matrix unit.  int8 -> int32, float32 (rounded to bfloat16) -> float32.

    (M, K), (K, N) -> (M, N).
    """
    floats = a.dtype == np.float32
    inputs, group = (32, 2) if floats else (64, 4)  # of a tile
    left, right = (bfloat16_bits(a), bfloat16_bits(b)) if floats else (a, b)
    left, right = whole_tiles(left, ROWS, inputs), whole_tiles(right, inputs, ROWS)
    unit, c = MatrixUnit(), np.empty((len(left), right.shape[1]), np.int32)
    for m in range(0, len(left), ROWS):
        for n in range(0, right.shape[1], ROWS):
            unit.zero(0)
            for k in range(0, len(right), inputs):
                unit.load(1, left[m : m + ROWS, k : k + inputs])
                unit.load(2, in_groups(right[k : k + inputs, n : n + ROWS], group))
                dot = unit.dot_bf16 if floats else unit.dot_int8
                dot(0, 1, 2)
            c[m : m + ROWS, n : n + ROWS] = unit.sums(0)
    c = c[: len(a), : b.shape[1]]
    return c.view(np.float32) if floats else c


def whole_tiles(x: Array, rows: int, columns: int) -> Array:
    """Pad a matrix with zeros to multiples of `rows` and `columns`."""
    return np.pad(x, ((0, -x.shape[0] % rows), (0, -x.shape[1] % columns)))
