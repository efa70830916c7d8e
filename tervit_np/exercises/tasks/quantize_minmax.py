"""Exercise: a grid from the lowest value to the highest, with a zero point."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import not_arrays, wrong_array, wrong_type
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng
from tervit_np.exercises.tasks.quantize_symmetric import ZERO_ROW, zero_row_fault

TASK = """
Numbers that come out of GELU are never far below 0: half of a symmetric grid
would have no values. The min-max grid of b bits has the codes 0 to N = 2^b - 1,
from the lowest value of a row to the highest. 0 has the code z, the zero point.

    s = (hi - lo) / N      z = round(-lo / s)      q = round(x / s) + z
    x_hat = s (q - z)

For x (M, D) and `levels`, which is N, return

    q (M, D)            s (M, 1)            z (M, 1)

* lo and hi are the extremes of the row and 0: the range always contains 0.
* q is from 0 to N. As z is rounded, an end of the row may be up to half a
  step beyond the grid; it gets the last code.
* Round as np.rint does. q and z are whole numbers in the type of x.
* A row of zeros has scale 0, zero point 0 and codes 0.
* The library refuses values that are not finite; you need not.

The check begins with an example for paper.
"""

HINTS = (
    "Everything is for each row: minimum and maximum with axis=1, as columns, then compared with "
    "0. Round x / s and -lo / s each by itself: then x = 0 has the code z exactly. In a row of "
    "zeros s is 0, so divide by another number there.",
    "  lo    = min(smallest of the row, 0)       hi = max(largest of the row, 0)\n"
    "  s     = (hi - lo) / N\n"
    "  z     = rint(-lo / s)\n"
    "  q     = rint(x / s) + z, clipped to 0 and N",
    "  lo = np.minimum(x.min(axis=1, keepdims=True), 0)\n"
    "  hi = np.maximum(x.max(axis=1, keepdims=True), 0)\n"
    "  s = (hi - lo) / levels\n"
    "  safe = np.where(s == 0, 1, s)\n"
    "  z = np.rint(-lo / safe)\n"
    "  q = np.clip(np.rint(x / safe) + z, 0, levels)",
)

PLAIN = """
low = np.minimum(x.min(axis=1, keepdims=True), 0)       # (M, 1)
high = np.maximum(x.max(axis=1, keepdims=True), 0)
scale = (high - low) / levels

# A row of zeros has scale 0: divide it by anything else.
safe = np.where(scale == 0, 1, scale).astype(x.dtype)
zero = np.rint(-low / safe)
codes = np.clip(np.rint(x / safe) + zero, 0, levels)

return codes, scale, zero
"""


def check(module: ModuleType) -> Iterator[Finding]:
    """Check a row on paper, one-sided rows, random ones, zeros, float32."""
    random = check_rng(1).normal(size=(3, 8)) * [[0.5], [1.0], [3.0]] + [[0.3], [0.0], [-1.0]]
    cases = {
        "on paper, x [[-1.5, 0, 1, 1.5]], N 3, so s 1, and -lo / s is 1.5": (
            np.array([[-1.5, 0, 1, 1.5]]),
            3,
        ),
        "x [[2, 3, 6], [-6, -2, -3]], N 3": (np.array([[2.0, 3, 6], [-6, -2, -3]]), 3),
        "halves, x [[-2.5, 0, 0.5]], N 3": (np.array([[-2.5, 0, 0.5]]), 3),
        "random x (3, 8), N 255": (random, 255),
        "random x (3, 8), N 15": (random, 15),
        "a row of zeros": (np.array([[0.0, 0.0], [2.0, -1.0]]), 255),
        "float32 stays float32": (random.astype(np.float32), 255),
    }
    for what, (x, levels) in cases.items():
        yield Finding(what, _fault(module.minmax_codes(read_only(x), levels), x, levels))


def _fault(result: Any, x: Array, levels: int) -> str:
    """Compare codes, scale and zero point with the formulas; empty if all are right."""
    if fault := not_arrays(result, ("q", "s", "z"), [None] * 3):
        return fault
    codes, scale, zero = result
    low = np.minimum(x.min(axis=1, keepdims=True), 0)
    high = np.maximum(x.max(axis=1, keepdims=True), 0)
    true = (high - low) / levels
    safe = np.where(true == 0, 1, true).astype(x.dtype)
    true_zero = np.rint(-low / safe) + 0.0  # not -0
    unclipped = np.rint(x / safe) + true_zero
    rtol = 1e-9 if x.itemsize == 8 else 1e-6
    return (
        wrong_array(scale, true, "s", _wrong_scales(x, low, high, levels), rtol=rtol)
        or zero_row_fault(scale, true)
        or wrong_type(zero, x.dtype, "z")
        or wrong_array(zero, true_zero, "z", _wrong_zeros(low, high, safe))
        or wrong_type(codes, x.dtype, "q")
        or wrong_array(
            codes,
            np.clip(unclipped, 0, levels),
            "q",
            _wrong_codes(x, low, safe, true_zero, levels),
        )
    )


def _wrong_scales(x: Array, low: Array, high: Array, levels: int) -> dict[str, Array]:
    lowest, highest = x.min(axis=1, keepdims=True), x.max(axis=1, keepdims=True)
    total = (high.max() - low.min()) / levels
    loud = "it is one scale for all rows; each row has its own: axis=1"
    lacks = "the range lacks 0: padding would not stay 0"
    return {
        f"{lacks}; lo is at most 0 and hi at least 0": (highest - lowest) / levels,
        f"{lacks}; lo is at most 0": (high - lowest) / levels,
        f"{lacks}; hi is at least 0": (highest - low) / levels,
        loud: np.full(low.shape, total),
        f"{loud}.": np.asarray(total),
        "N + 1 codes have N steps between them: divide by N": (high - low) / (levels + 1),
        "it is max|x| / N; the grid goes from lo to hi": np.maximum(high, -low) / levels,
        "it is hi / N; the grid goes from lo to hi": high / levels,
        "it is (lo - hi) / N, negative": (low - high) / levels,
        "this is z: return q, s, z in this order": (
            np.rint(-low / np.where(high == low, 1, (high - low) / levels)).astype(x.dtype)
        ),
        ZERO_ROW: (np.where(high == low, 1, (high - low) / levels).astype(x.dtype)),
    }


def _wrong_zeros(low: Array, high: Array, safe: Array) -> dict[str, Array]:
    exact = -low / safe
    with np.errstate(invalid="ignore"):
        undefined = np.rint(exact * np.where(high == low, np.nan, 1))
    return {
        "a row of zeros is divided by its scale, 0 / 0": undefined,
        "halves are rounded up; they go to the even neighbour, as np.rint does": (
            np.floor(exact + 0.5)
        ),
        "it is not rounded; an integer product needs a whole z": exact,
        "it is rounded down; round to the nearest": np.floor(exact),
        "it is rounded up; round to the nearest": np.ceil(exact),
        "the sign: lo is below 0, and z is -lo / s": np.rint(low / safe),
        "this is lo; z counts steps": low,
        "this is hi / s; z is the number of steps below 0": np.rint(high / safe),
        "it is 0; the codes begin at lo, and 0 is -lo / s steps above it": np.zeros_like(low),
    }


def _wrong_codes(x: Array, low: Array, safe: Array, zero: Array, levels: int) -> dict[str, Array]:
    steps, unclipped = np.rint(x / safe), np.rint(x / safe) + zero
    top = int(unclipped.max())
    beyond = f"a code is {top}, and N is {levels}" if top > levels else "a code is below 0"
    together = "x / s is rounded by itself, then z is added: so x = 0 has the code z"
    return {
        f"it is round(x / s + z); {together}": np.clip(np.rint(x / safe + zero), 0, levels),
        f"{beyond}: with 8 bits a code of 256 would wrap to 0; clip to 0 and N": unclipped,
        "z is not added": steps,
        "z is not added: negative codes are lost": np.clip(steps, 0, levels),
        "z is subtracted; x = 0 has the code z": np.clip(steps - zero, 0, levels),
        "z is subtracted; x = 0 has the code z.": steps - zero,
        f"it is round((x - lo) / s); {together}": np.clip(np.rint((x - low) / safe), 0, levels),
        "they are cut or rounded down; round to the nearest": (
            np.clip(np.floor(x / safe) + zero, 0, levels)
        ),
        "they are cut towards 0; round to the nearest": (
            np.clip(np.trunc(x / safe) + zero, 0, levels)
        ),
        "they are not rounded": np.clip(x / safe + zero, 0, levels),
        "the steps are clipped before z is added; clip the sum": np.clip(steps, 0, levels) + zero,
        "this is x_hat; codes are wanted": (np.clip(unclipped, 0, levels) - zero) * safe,
        "codes end at N, not at N - 1": np.clip(unclipped, 0, levels - 1),
    }


QUANTIZE_MINMAX = Exercise(
    name="quantize_minmax",
    module="quant.uniform",
    chapter="10_eight_bits",
    title="a grid with a zero point",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=(PLAIN,),
    wrong_answers=(
        WrongAnswer(
            "the range does not contain 0",
            "np.minimum(x.min(axis=1, keepdims=True), 0)",
            "x.min(axis=1, keepdims=True)",
            "the range lacks 0: padding would not stay 0",
        ),
        WrongAnswer(
            "the zero point is not whole",
            "np.rint(-low / safe)",
            "-low / safe",
            "it is not rounded; an integer product needs a whole z",
        ),
        WrongAnswer(
            "codes beyond the last",
            "np.clip(np.rint(x / safe) + zero, 0, levels)",
            "np.rint(x / safe) + zero",
            "a code is 4, and N is 3: with 8 bits a code of 256 would wrap to 0",
        ),
        WrongAnswer(
            "x and lo are rounded together",
            "np.rint(x / safe) + zero",
            "np.rint((x - low) / safe)",
            "x / s is rounded by itself, then z is added",
        ),
        WrongAnswer(
            "as many steps as codes",
            "(high - low) / levels",
            "(high - low) / (levels + 1)",
            "N + 1 codes have N steps between them",
        ),
    ),
)
