"""Newton-Schulz steps towards an orthogonal matrix, three products each.

Twin of the loop in train/muon.py.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import empty_matrix
from tervit_np.compiled.arithmetic import fma
from tervit_np.compiled.exponential import F
from tervit_np.compiled.float_microkernel import IN_TURN
from tervit_np.compiled.float_panels import NOTHING, matrix_of, transposed
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.sgemm import sgemm, workspace


def newton_schulz(x: Array, steps: int, coefficients: tuple[float, float, float]) -> Array:
    """Return a X + (b A + c A A) X with A = X X^T, `steps` times.  (m, n) -> (m, n)."""
    x = np.array(x, order="C")
    a, b, c = map(np.float32, coefficients)
    _iterate(x, steps, a, b, c, *workspace())
    return x


@kernel(boundscheck=False)
def _iterate(
    x: Array, steps: int, a: np.float32, b: np.float32, c: np.float32, work: int, columns: int
) -> None:
    rows, width = x.shape
    gram, square, y = empty_matrix(rows, rows), empty_matrix(rows, rows), empty_matrix(rows, width)
    for _ in range(steps):
        sgemm(IN_TURN, rows, rows, width, matrix_of(x), transposed(matrix_of(x)), NOTHING,
              matrix_of(gram), work, columns)  # fmt: skip
        sgemm(IN_TURN, rows, rows, rows, matrix_of(gram), matrix_of(gram), NOTHING,
              matrix_of(square), work, columns)  # fmt: skip
        for i in range(rows):
            for j in range(rows):
                square[i, j] = fma(c, square[i, j], F(b * gram[i, j]))
            for j in range(width):
                y[i, j] = a * x[i, j]
        sgemm(IN_TURN, rows, width, rows, matrix_of(square), matrix_of(x), matrix_of(y),
              matrix_of(y), work, columns)  # fmt: skip
        for i in range(rows):  # x[:] = y would compile an error's text, in 3 seconds
            for j in range(width):
                x[i, j] = y[i, j]
