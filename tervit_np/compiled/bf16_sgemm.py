"""The backward products in bfloat16 on a processor without a matrix unit for them.

    dx = dy W        dW = dy^T x

Factors are rounded to bfloat16, and the float product (sgemm.py) multiplies them in the order of
the unit, to the bits of bf16_matmul.py: in pairs where the processor has a dot product of pairs
(bf16_pairs.py), else as float32 numbers (bf16_numbers.py). A step of the product is a word, which
holds two inputs, or a number. Groups of 32 inputs are padded with zeros. With three parts
(bf16_panels.py), a group is three: low high + high low + high high.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import empty_matrix
from tervit_np.compiled.bf16_numbers import numbers_across, numbers_down
from tervit_np.compiled.bf16_pairs import pairs_across, pairs_down
from tervit_np.compiled.bf16_panels import A_LOW, B_LOW, SIZE
from tervit_np.compiled.float_microkernel import UNIT_STEPS, is_paired
from tervit_np.compiled.float_panels import NOTHING, at, matrix_of, transposed
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.sgemm import sgemm

PORTION = 192  # rows of dy that are rounded at a time: they fit the second cache


@kernel(boundscheck=False)
def gradients(
    order: Any, dy: Array, x: Array, weight: Array, parts: int, work: int, most_columns: int
) -> tuple[Array, Array]:
    """(M, O), (M, I), (O, I) -> dx (M, I), dweight (O, I); a weight (O, 0) gives dx (M, 0)."""
    (rows, outputs), inputs, dx_inputs = dy.shape, x.shape[1], weight.shape[1]
    w = empty_steps(order, outputs, parts, dx_inputs)
    pack_down(order, weight, 0, outputs, parts, B_LOW, w)
    across = empty_matrix(PORTION, w.shape[0])
    dy_down = empty_steps(order, PORTION, parts, outputs)
    x_down = empty_steps(order, PORTION, parts, inputs)
    dx, dweight = empty_matrix(rows, dx_inputs), np.zeros((outputs, inputs), np.float32)
    for m in range(0, rows, PORTION):
        stop = min(m + PORTION, rows)
        if dx_inputs:
            pack_across(order, dy, m, stop, parts, across)
            sgemm(order, stop - m, dx_inputs, across.shape[1], matrix_of(across), matrix_of(w),
                  NOTHING, at(matrix_of(dx), m, 0), work, most_columns)  # fmt: skip
        pack_down(order, dy, m, stop, parts, A_LOW, dy_down)
        pack_down(order, x, m, stop, parts, B_LOW, x_down)
        sums = matrix_of(dweight)
        sgemm(order, outputs, inputs, steps_of(order, stop - m, parts),
              transposed(matrix_of(dy_down)), matrix_of(x_down), sums, sums, work,
              most_columns)  # fmt: skip
    return dx, dweight


@kernel(boundscheck=False)
def steps_of(order: Any, inputs: int, parts: int) -> int:
    """Return the steps of a number of inputs, in whole groups."""
    return -(-inputs // UNIT_STEPS) * order.steps * parts


@kernel(boundscheck=False)
def empty_steps(order: Any, inputs: int, parts: int, columns: int) -> Array:
    """Return memory for factors whose rows are steps, which are written 16 columns at a time."""
    return empty_matrix(steps_of(order, inputs, parts), -(-columns // SIZE) * SIZE)


def pack_across(order: Any, x: Array, first: int, stop: int, parts: int, out: Array) -> None:
    """Round and pack rows of x, whose columns are inputs.  -> (M, S P), parts of A."""
    raise NotImplementedError("pack_across exists only in compiled code")


def pack_down(
    order: Any, x: Array, first: int, stop: int, parts: int, low_part: int, out: Array
) -> None:
    """Round and pack rows of x, which are inputs.  -> (S P, N)."""
    raise NotImplementedError("pack_down exists only in compiled code")


@overload(pack_across, strict=False)  # strict would compare annotations as well as names
def _pack_across(
    order: types.NamedUniTuple, x: Any, first: Any, stop: Any, parts: Any, out: Any
) -> Callable[..., None]:
    write = pairs_across if is_paired(order) else numbers_across
    return lambda order, x, first, stop, parts, out: write(x, first, stop, parts, out)


@overload(pack_down, strict=False)
def _pack_down(
    order: types.NamedUniTuple, x: Any, first: Any, stop: Any, parts: Any, low_part: Any, out: Any
) -> Callable[..., None]:
    write = pairs_down if is_paired(order) else numbers_down
    return lambda order, x, first, stop, parts, low_part, out: write(
        x, first, stop, parts, low_part, out
    )
