"""A linear layer, forward and backward, on the float product.

Twin of ops/linear.py.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import empty_matrix
from tervit_np.compiled.arithmetic import address_of
from tervit_np.compiled.bias import column_sum
from tervit_np.compiled.float_microkernel import IN_TURN
from tervit_np.compiled.float_panels import NOTHING, Matrix, matrix_of, transposed
from tervit_np.compiled.float_tile import FLOAT
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.sgemm import sgemm, workspace

_NO_BIAS = np.empty(0, np.float32)


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    """y = x W^T + b; sums begin with the bias.  (M, I), (O, I), (O,) -> (M, O)."""
    bias = _NO_BIAS if bias is None else bias
    x, weight, bias = map(np.ascontiguousarray, (x, weight, bias))
    y: Array = _forward(x, weight, bias, *workspace())
    return y


def linear_backward(dy: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """(M, O), (M, I), (O, I) -> dx (M, I), dweight (O, I), dbias (O,).

    With a weight of no columns, (O, 0), dx is (M, 0) and takes no time.
    """
    dy, x, weight = map(np.ascontiguousarray, (dy, x, weight))
    dx, dweight, dbias = _backward(dy, x, weight, *workspace())
    return dx, dweight, dbias


@kernel(boundscheck=False)
def _forward(x: Array, weight: Array, bias: Array, work: int, columns: int) -> Array:
    (rows, inputs), outputs = x.shape, weight.shape[0]
    y = empty_matrix(rows, outputs)
    start = Matrix(address_of(bias), 0, FLOAT) if bias.size else NOTHING
    sgemm(IN_TURN, rows, outputs, inputs, matrix_of(x), transposed(matrix_of(weight)), start,
          matrix_of(y), work, columns)  # fmt: skip
    return y


@kernel(boundscheck=False)
def _backward(
    dy: Array, x: Array, weight: Array, work: int, columns: int
) -> tuple[Array, Array, Array]:
    (rows, inputs), outputs = x.shape, weight.shape[0]
    dx, dweight = empty_matrix(rows, weight.shape[1]), empty_matrix(outputs, inputs)
    sgemm(IN_TURN, rows, weight.shape[1], outputs, matrix_of(dy), matrix_of(weight), NOTHING,
          matrix_of(dx), work, columns)  # fmt: skip
    sgemm(IN_TURN, outputs, inputs, rows, transposed(matrix_of(dy)), matrix_of(x), NOTHING,
          matrix_of(dweight), work, columns)  # fmt: skip
    return dx, dweight, column_sum(dy)
