"""Exercise: softmax."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import not_arrays, wrong_array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng

TASK = """
Softmax turns each row of numbers into probabilities. With z = scale x,

    y_i = exp(z_i) / sum_j exp(z_j)

over the last axis of x (..., N); y has the shape of x. Every row of y sums to
1. Return y twice: as the result, and as the cache of the backward pass, which
needs nothing else.

exp(1000) overflows, although the quotient is a number between 0 and 1. So find
something that can be taken away from a row of z without changing y.

The check begins with an example for paper. Then it tries random rows, large
numbers, and float32.
"""

HINTS = (
    "Adding the same number c to all z of a row multiplies every exp(z_j), and so both parts of "
    "the quotient, by exp(c): y stays as it is. Which c makes the largest exponent 0?",
    "  m   = max_j z_j                    one for each row\n"
    "  y_i = exp(z_i - m) / sum_j exp(z_j - m)\n"
    "The maximum and the sum run over the last axis, and must keep it to fit z.",
    "  z = x * scale\n"
    "  e = np.exp(z - z.max(axis=-1, keepdims=True))\n"
    "  y = e / e.sum(axis=-1, keepdims=True)\n"
    "and return y, y.",
)

PLAIN = """
z = x * scale

# The largest exponent of a row becomes 0: nothing overflows.
e = np.exp(z - z.max(axis=-1, keepdims=True))
y = e / e.sum(axis=-1, keepdims=True)

return y, y
"""


def check(module: ModuleType) -> Iterator[Finding]:
    """Check logarithms on paper, random rows with a scale, large and distant numbers, float32."""
    n = check_rng(1).normal
    far = "one row is [0, 1], another [-2000, -2001]"
    cases = {
        "on paper, x [[ln 1, ln 2, ln 5], [ln 2, ln 2, ln 4]]": (
            np.log(np.array([[1.0, 2, 5], [2, 2, 4]])),
            1.0,
        ),
        "random x (4, 5)": (n(size=(4, 5)), 1.0),
        "random x (2, 3, 5), scale 0.4": (n(size=(2, 3, 5)), 0.4),
        "a single row (5,)": (n(size=5), 1.0),
        "large numbers, x [[1000, 1001, 999]]": (np.array([[1000.0, 1001, 999]]), 1.0),
        far: (np.array([[0.0, 1], [-2000, -2001]]), 1.0),
        "numbers far apart, x [[1000, 0, -900]]": (np.array([[1000.0, 0, -900]]), 1.0),
        "float32 stays float32": (n(size=(3, 4)).astype(np.float32), 0.5),
    }
    for what, (x, scale) in cases.items():
        x = read_only(x)
        yield Finding(what, _fault(module.softmax(x, scale), x, scale))


def _fault(result: Any, x: Array, scale: float) -> str:
    """Compare the two results with the formula; empty if they are right."""
    if isinstance(result, np.ndarray):
        return "y alone is returned; return it twice, also as the cache: `return y, y`"
    if fault := not_arrays(result, ("y", "the cache")):
        return fault
    y, cache = result
    true = _by_formula(x, scale)
    rtol = 1e-12 if x.dtype == np.float64 else 1e-6
    known = _known_mistakes(x * scale, x)
    if fault := wrong_array(y, true, "y", known, {"x": x}, rtol):
        return fault
    return wrong_array(cache, true, "the cache", rtol=rtol)


def _by_formula(x: Array, scale: float) -> Array:
    z = x.astype(np.float64) * scale
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True)).astype(x.dtype)


def _known_mistakes(z: Array, x: Array) -> dict[str, Array]:
    e, whole, shifted = (np.exp(z - m) for m in (0.0, z.max(), z.max(axis=-1, keepdims=True)))
    upwards = np.exp(z - z.min(axis=-1, keepdims=True))
    known = {
        "the maximum is that of the whole array, so a row far below it becomes 0/0; each row has "
        "its own": whole / whole.sum(axis=-1, keepdims=True),
        "exp(1000) overflows; taking the row's maximum away multiplies both parts by the same "
        "factor": e / e.sum(axis=-1, keepdims=True),
        "with the smallest number taken away, exp overflows where a row's numbers are far apart; "
        "take the largest away": upwards / upwards.sum(axis=-1, keepdims=True),
        "the scale is missing: z = scale x": _by_formula(x, 1.0),
    }
    for powers, more in ((shifted, ""), (e, "; and the maximum of the row must be taken away")):
        known |= {
            f"the sum runs over the whole array; each row sums to 1{more}": powers / powers.sum(),
            f"the sum runs over axis 0; each row, along the last axis, sums to 1{more}": (
                powers / powers.sum(axis=0, keepdims=True)
            ),
            f"it is not divided by the sum{more}": powers,
        }
    return known


SOFTMAX = Exercise(
    name="softmax",
    module="ops.softmax",
    chapter="02_cross_entropy",
    title="probabilities from any numbers",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=(PLAIN,),
    wrong_answers=(
        WrongAnswer(
            "the maximum is not taken away",
            "z - z.max(axis=-1, keepdims=True)",
            "z",
            "taking the row's maximum away multiplies both parts by the same factor",
        ),
        WrongAnswer(
            "the sum runs over the whole array",
            "e.sum(axis=-1, keepdims=True)",
            "e.sum()",
            "each row sums to 1",
        ),
        WrongAnswer(
            "the maximum is that of the whole array",
            "z.max(axis=-1, keepdims=True)",
            "z.max()",
            "a row far below it becomes 0/0",
        ),
        WrongAnswer(
            "the mean is taken away in place of the maximum",
            "z.max(axis=-1, keepdims=True)",
            "z.mean(axis=-1, keepdims=True)",
            "exp(1000) overflows; taking the row's maximum away",
        ),
        WrongAnswer(
            "the scale is forgotten",
            "z = x * scale",
            "z = x",
            "the scale is missing",
        ),
    ),
)
