"""Exercise: the backward pass of a linear layer."""

from collections.abc import Iterator
from types import ModuleType

import numpy as np

from tervit_np.arrays import Array, rows
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.gradients import PaperExample, check_backward
from tervit_np.exercises.numbers import check_rng
from tervit_np.ops.linear import LinearCache, linear
from tervit_np.verify.operators import Operator

TASK = """
A linear layer computes

    y = x W^T + b            y_mo = sum_i x_mi W_oi + b_o

with x (..., I), W (O, I), b (O,) and y (..., O). The dots are any number of
leading axes, perhaps none; m counts their elements, B times T for a batch of
tokens.

dy is dL/dy, the gradient that arrives from the layer above. In the same way dX
is dL/dX, for every X, and has the shape of X. Return dx, dweight and dbias. The
cache holds the inputs of the forward pass: cache.x and cache.weight. Read the
cache and dy, do not write into them.

The check begins with an example for paper. Then it compares with finite
differences, with one, no and two leading axes and a random dy. `rows` reshapes
(..., N) to (M, N).
"""

HINTS = (
    "Follow one number. b_o is added to y_mo for every m, so it moves the loss through all of "
    "them: its gradient is a sum over m. Ask the same of one W_oi and of one x_mi: in which "
    "elements of y does it occur, and with which factor?",
    "  dL/dx_mi = sum_o dy_mo W_oi\n"
    "  dL/dW_oi = sum_m dy_mo x_mi\n"
    "  dL/db_o  = sum_m dy_mo\n"
    "The first two are matrix products. What is summed over must be the inner axis, and the "
    "result has the shape of x or of W: that decides what is transposed.",
    "Make matrices first: dy2 = rows(dy) is (M, O), x2 = rows(cache.x) is (M, I). Then\n"
    "  dx      = dy2 @ cache.weight\n"
    "  dweight = dy2.T @ x2\n"
    "  dbias   = dy2.sum(axis=0)\n"
    "and dx is still (M, I): give it back the shape of cache.x.",
)

PLAIN = """
# One row for each token: x and dy become matrices.
x2 = rows(cache.x)                  # (M, I)
dy2 = rows(dy)                      # (M, O)

dx = dy2 @ cache.weight             # (M, O) (O, I) -> (M, I), summed over o
dweight = dy2.T @ x2                # (O, M) (M, I) -> (O, I), summed over m
dbias = dy2.sum(axis=0)             # (O,), summed over m

return dx.reshape(cache.x.shape), dweight, dbias
"""

_FACTORS = {"O": 4.0, "I": 5.0}
_X, _WEIGHT, _DY = np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6]]), np.array([[1.0], [2]])
_ON_PAPER = PaperExample(
    "on paper, x [[1, 2], [3, 4]], W [[5, 6]], dy [[1], [2]]",
    _DY,
    LinearCache(_X, _WEIGHT),
    (np.array([[5.0, 6], [10, 12]]), np.array([[7.0, 10]]), np.array([3.0])),
)


def check(module: ModuleType) -> Iterator[Finding]:
    """Check on matrices, on a single vector, and on a batch of tokens."""
    n = check_rng(1).normal
    weight, bias = n(size=(4, 5)), n(size=4)
    operators = (
        Operator(
            "linear",
            {"x": n(size=(*leading, 5)), "weight": weight, "bias": bias},
            linear,
            module.linear_backward,
            _FACTORS,
        )
        for leading in ((6,), (), (2, 3))
    )
    yield from check_backward(operators, _known_mistakes, _ON_PAPER)


def _known_mistakes(dy: Array, cache: LinearCache) -> dict[str, dict[str, Array]]:
    dy2, x2 = rows(dy), rows(cache.x)
    dx, dweight, dbias = dy2 @ cache.weight, dy2.T @ x2, dy2.sum(axis=0)
    ones = "dy is missing: this is the gradient for an upstream of ones"
    averaged = "it is averaged over the rows; a backward pass sums, only the loss is a mean"
    return {
        "dx": {
            "the numbers are right, the shape is not that of x: reshape it": dx,
            ones: (np.ones_like(dy2) @ cache.weight).reshape(cache.x.shape),
        },
        "dweight": {
            "it is transposed: W is (out, in), and so is its gradient": dweight.T,
            averaged: dweight / len(x2),
            ones: np.ones_like(dy2).T @ x2,
        },
        "dbias": {
            "it is summed over the first axis alone; sum over every axis but the last": (
                dy.sum(axis=0)
            ),
            "it is summed over the outputs; b has one number for each of them": dy.sum(axis=-1),
            "b is added in every row, so its gradient is summed over all rows": dy,
            averaged: dbias / len(x2),
        },
    }


LINEAR_BACKWARD = Exercise(
    name="linear_backward",
    module="ops.linear",
    chapter="01_linear",
    title="the backward pass of a linear layer",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=(PLAIN,),
    wrong_answers=(
        WrongAnswer(
            "the operands of the weight gradient are swapped",
            "dy2.T @ x2",
            "x2.T @ dy2",
            "it is transposed",
        ),
        WrongAnswer(
            "the bias gradient is a mean over rows",
            "dy2.sum(axis=0)",
            "dy2.mean(axis=0)",
            "it is averaged over the rows",
        ),
        WrongAnswer(
            "dx stays a matrix",
            "dx.reshape(cache.x.shape)",
            "dx",
            "the numbers are right, the shape is not that of x",
        ),
        WrongAnswer(
            "the upstream gradient is scaled in place",
            "dx = dy2 @ cache.weight",
            "dy2 *= 1.0\n    dx = dy2 @ cache.weight",
            "this writes into an array that the caller still needs",
        ),
        WrongAnswer(
            "the weight gradient does not use dy",
            "dy2.T @ x2",
            "np.ones_like(dy2).T @ x2",
            "dy is missing: this is the gradient for an upstream of ones",
        ),
        WrongAnswer(
            "two gradients are exchanged",
            "dx.reshape(cache.x.shape), dweight, dbias",
            "dweight, dx.reshape(cache.x.shape), dbias",
            "this is dweight: is the order dx, dweight, dbias?",
        ),
    ),
)
