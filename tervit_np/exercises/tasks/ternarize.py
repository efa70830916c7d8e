"""Exercise: three values for each row of a weight matrix."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import not_arrays
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng
from tervit_np.exercises.tasks.ternarize_mistakes import (
    by_formula,
    wrong_alpha,
    wrong_codes,
    wrong_delta,
    wrong_type,
)

TASK = """
Each row w of a matrix (M, N) becomes alpha t, with t in {-1, 0, 1}:

    Delta = 0.7 mean|w|
    t_i   = sign(w_i) where |w_i| > Delta, else 0
    alpha = mean of |w_i| over the i with t_i != 0

A row holds the weights of one output channel. Return for all rows at once

    codes (M, N), int8        alpha (M,)        delta (M,)

* a weight equal to the threshold becomes 0: the inequality is strict;
* sums run in float64, whatever type the weights have;
* a row of zeros gets alpha 0 and codes 0.

The check uses the default options, threshold "twn" and scale "support"; the
library's lines implement the others as well.
"""

HINTS = (
    "Begin with the magnitudes in float64, size = np.abs(matrix).astype(np.float64). Every mean is "
    "over a row: axis=1. The weights that stay are a mask, size > delta with delta as a column, "
    "delta[:, None].",
    "A mean over a mask is a sum divided by a count: add up size where the mask is true, divide by "
    "how often it is true. In a row of zeros no magnitude is above 0, so the count is 0: divide "
    "by at least 1.",
    "  size   = np.abs(matrix).astype(np.float64)\n"
    "  delta  = 0.7 * size.mean(axis=1)\n"
    "  chosen = size > delta[:, None]\n"
    "  total  = np.where(chosen, size, 0).sum(axis=1)\n"
    "  alpha  = total / np.maximum(chosen.sum(axis=1), 1)\n"
    "  codes  = (np.sign(matrix) * chosen).astype(np.int8)",
)

PLAIN = """
size = np.abs(matrix).astype(np.float64)
delta = 0.7 * size.mean(axis=1)

# t is 0 up to the threshold, else the sign.
above = size > delta[:, None]
codes = (np.sign(matrix) * above).astype(np.int8)

# The mean of the sizes above; a row of zeros has none of them.
count = np.maximum(above.sum(axis=1), 1)
alpha = np.where(above, size, 0).sum(axis=1) / count

return codes, alpha, delta
"""

_NAMES = ("codes", "alpha", "delta")
_ON_PAPER = [[0.1, -0.5, 0.3, 1.5]]  # mean 0.6, Delta 0.42; above it 0.5 and 1.5, mean 1
_ON_THRESHOLD = [[0.7, -1.3, 1.0, 1.0], [-0.7, 0.7, 1.3, -1.3]]  # means 1, so Delta is 0.7
_ZEROS = [[0.0, 0.0, 0.0], [1.0, -2.0, 0.0], [-0.0, 0.0, 0.0]]


def check(module: ModuleType) -> Iterator[Finding]:
    """Check a row on paper, random rows, the threshold itself, zeros, narrow types."""
    random = check_rng(1).normal(size=(3, 9)) * [[0.5], [1.0], [3.0]]
    cases = {
        "on paper, one row, [0.1, -0.5, 0.3, 1.5]": np.array(_ON_PAPER),
        "three random rows of nine, of different magnitude": random,
        "weights equal to the threshold, [0.7, -1.3, 1, 1]": np.array(_ON_THRESHOLD),
        "a row of zeros": np.array(_ZEROS),
        "small weights, 1e-12 times the row on paper": 1e-12 * np.array(_ON_PAPER),
        "float32: few large weights, many small ones": _large_and_small(),
        "float16: weights whose sum overflows": np.full((1, 300), 1000, np.float16),
    }
    for what, w in cases.items():
        yield Finding(what, _fault(module.ternarize_rows(read_only(w)), w))


def _large_and_small() -> Array:
    """Return a row whose small weights are lost one by one in a float32 sum."""
    w = np.full((1, 128), 2.0**-24, np.float32)  # half a unit in the last place of 1
    w[0, :8] = 1
    return w


def _fault(result: Any, w: Array) -> str:
    """Compare a result with the formula; empty if it is right."""
    if fault := not_arrays(result, _NAMES, [None] * 3):
        return fault
    codes, alpha, delta = result
    matrix = w.astype(np.float64)
    true = [by_formula(row) for row in matrix]
    true_codes, true_alpha, true_delta = (np.array([t[i] for t in true]) for i in range(3))
    return (
        wrong_delta(delta, true_delta, matrix)
        or wrong_codes(codes, true_codes, matrix, true_delta)
        or wrong_alpha(alpha, true_alpha, matrix, true_codes)
        or wrong_type(codes)
    )


TERNARIZE = Exercise(
    name="ternarize",
    module="quant.ternarize",
    chapter="12_three_values",
    title="three values for each row",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=(PLAIN,),
    wrong_answers=(
        WrongAnswer(
            "a weight equal to the threshold does not become 0",
            "above = size > delta",
            "above = size >= delta",
            "|w| equals Delta = 0.7, and the inequality is strict",
        ),
        WrongAnswer(
            "a row of zeros divides zero by zero",
            "np.maximum(above.sum(axis=1), 1)",
            "above.sum(axis=1)",
            "alpha of a row of zeros is nan, expected 0",
        ),
        WrongAnswer(
            "the scale is the mean over the whole row",
            "np.where(above, size, 0).sum(axis=1) / count",
            "size.mean(axis=1)",
            "alpha: it is the mean over the whole row; the formula has that over t_i != 0",
        ),
        WrongAnswer(
            "sums run in the type of the weights",
            "np.abs(matrix).astype(np.float64)",
            "np.abs(matrix)",
            "sums in float32 lose small weights",
        ),
        WrongAnswer(
            "the threshold is a fraction of the largest weight",
            "size.mean(axis=1)\n\n",
            "size.max(axis=1)\n\n",
            "delta: it is 0.7 max|w|: with it nearly all weights become 0",
        ),
        WrongAnswer(
            "the sums run over the columns",
            "0.7 * size.mean(axis=1)\n\n    # t is 0 up to the threshold, else the sign.\n"
            "    above = size > delta[:, None]",
            "0.7 * size.mean(axis=0)\n\n    # t is 0 up to the threshold, else the sign.\n"
            "    above = size > delta",
            "delta has one number for each column; each row has one: axis=1",
        ),
    ),
)
