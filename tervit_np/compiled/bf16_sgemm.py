"""The backward products in bfloat16 on a processor without a unit for them.

    dx = dy W        dW = dy^T x

Factors are rounded to bfloat16 and stay float32 numbers; the float product multiplies them in the
order of the unit (sgemm.py), to the bits of bf16_matmul.py. Steps of 32 inputs are
padded with zeros. With three parts (bf16_panels.py), a step is three: low high + high low +
high high.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import empty_matrix
from tervit_np.compiled.bf16_panels import A_LOW, B_LOW, bf16_bits
from tervit_np.compiled.exponential import F, bits_to_float
from tervit_np.compiled.float_microkernel import OF_MATRIX_UNIT, UNIT_STEPS
from tervit_np.compiled.float_panels import NOTHING, at, matrix_of, transposed
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.sgemm import sgemm

PORTION = 192  # rows of dy that are rounded at a time: they fit the second cache
_ZERO = F(0)


@kernel(boundscheck=False)
def gradients(
    dy: Array, x: Array, weight: Array, parts: int, work: int, most_columns: int
) -> tuple[Array, Array]:
    """(M, O), (M, I), (O, I) -> dx (M, I), dweight (O, I)."""
    (rows, outputs), inputs = dy.shape, x.shape[1]
    w = empty_matrix(padded(outputs) * parts, inputs)
    round_down(weight, 0, outputs, parts, B_LOW, w)
    across = empty_matrix(PORTION, padded(outputs) * parts)
    dy_down = empty_matrix(PORTION * parts, outputs)
    x_down = empty_matrix(PORTION * parts, inputs)
    dx, dweight = empty_matrix(rows, inputs), np.zeros((outputs, inputs), np.float32)
    for m in range(0, rows, PORTION):
        stop = min(m + PORTION, rows)
        round_across(dy, m, stop, parts, across)
        sgemm(OF_MATRIX_UNIT, stop - m, inputs, across.shape[1], matrix_of(across), matrix_of(w),
              NOTHING, at(matrix_of(dx), m, 0), work, most_columns)  # fmt: skip
        round_down(dy, m, stop, parts, A_LOW, dy_down)
        round_down(x, m, stop, parts, B_LOW, x_down)
        sums = matrix_of(dweight)
        sgemm(OF_MATRIX_UNIT, outputs, inputs, padded(stop - m) * parts,
              transposed(matrix_of(dy_down)), matrix_of(x_down), sums, sums, work,
              most_columns)  # fmt: skip
    return dx, dweight


@kernel(boundscheck=False)
def padded(inputs: int) -> int:
    """Return a number of inputs in whole steps."""
    return -(-inputs // UNIT_STEPS) * UNIT_STEPS


@kernel(boundscheck=False)
def round_across(x: Array, first: int, stop: int, parts: int, out: Array) -> None:
    """Round rows of x, whose columns are inputs.  -> (M, K' P), parts of A."""
    inputs = out.shape[1] // parts
    both = np.empty((2, inputs), np.float32)  # low, high
    for m in range(first, stop):
        if parts == 1:
            round_row(x[m], False, out[m - first])
            continue
        round_row(x[m], True, both[0])
        round_row(x[m], False, both[1])
        row = out[m - first]
        for k in range(0, inputs, UNIT_STEPS):
            for p in range(parts):
                part, start = both[int(p != A_LOW)], k * parts + p * UNIT_STEPS
                for i in range(UNIT_STEPS):
                    row[start + i] = part[k + i]


@kernel(boundscheck=False)
def round_down(x: Array, first: int, stop: int, parts: int, low_part: int, out: Array) -> None:
    """Round rows of x, which are inputs.  -> (K' P, N)."""
    for k in range(padded(stop - first)):
        step, i = divmod(k, UNIT_STEPS)
        row = x[min(first + k, stop - 1)]
        for p in range(parts):
            target = out[(step * parts + p) * UNIT_STEPS + i]
            if first + k < stop:
                round_row(row, parts > 1 and p == low_part, target)
            else:
                target[:] = _ZERO


@kernel(boundscheck=False)
def round_row(x: Array, low: bool, out: Array) -> None:
    """Write the high or the low bfloat16 of each number, and zeros up to the end of `out`."""
    count = x.shape[0]
    if low:
        for n in range(count):
            high = bits_to_float(bf16_bits(x[n]))
            out[n] = bits_to_float(bf16_bits(F(x[n] - high)))
    else:
        for n in range(count):
            out[n] = bits_to_float(bf16_bits(x[n]))
    for n in range(count, out.shape[0]):
        out[n] = _ZERO
