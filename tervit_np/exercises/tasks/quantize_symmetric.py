"""Exercise: a symmetric grid with one scale for each row."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import not_arrays, wrong_array, wrong_type
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng

TASK = """
A symmetric grid has the codes -Q, ..., -1, 0, 1, ..., Q. Each row of x (M, N)
has its own scale s, and its largest magnitude gets the code Q or -Q:

    s = max|x| / Q          q = round(x / s)          x_hat = q s

Write two functions:

    largest_code      Q for a number of bits: the largest for which both Q and
                      -Q are signed integers of so many bits
    symmetric_codes   x and q_max, which is Q      -> q (M, N), s (M, 1)

* Round to the nearest whole number, and halves to the even one of the two, as
  np.rint does.
* A row of zeros has scale 0 and codes 0.
* Codes are whole numbers in the type of x: the caller turns them into int8.
* The library refuses values that are not finite; you need not.

The check begins with an example for paper.
"""

HINTS = (
    "8 bits hold 256 integers, -128 to 127. For s: np.abs, then a maximum over each row, axis=1; "
    "as a column it divides x. In a row of zeros s is 0 and x / s is 0 / 0: divide by another "
    "number there.",
    "  Q    = 2^(bits - 1) - 1\n"
    "  s    = max|x| / Q            keepdims=True makes it (M, 1)\n"
    "  safe = s, and 1 where s = 0\n"
    "  q    = round(x / safe)",
    "  largest_code:     return 2 ** (bits - 1) - 1\n"
    "  symmetric_codes:  s = np.abs(x).max(axis=1, keepdims=True) / q_max\n"
    "                    safe = np.where(s == 0, 1, s)\n"
    "                    return np.rint(x / safe), s",
)

PLAIN = (
    """
# One bit is the sign. -2^(bits - 1) would fit too, but its negative would not.
return 2 ** (bits - 1) - 1
""",
    """
size = np.abs(x).max(axis=1, keepdims=True)     # (M, 1)
scale = size / q_max

# A row of zeros has scale 0: divide it by anything else, its codes are 0.
safe = np.where(scale == 0, 1, scale).astype(x.dtype)
codes = np.rint(x / safe)

return codes, scale
""",
)

ZERO_ROW = "a row of zeros has scale 0; only the division needs another number"
_PAPER = [[1.5, -0.7, 0.8], [-6.0, 3.0, 0.5]]


def check(module: ModuleType) -> Iterator[Finding]:
    """Check Q, then codes on paper, of random rows, at halves, of zeros, in float32."""
    for bits in (3, 8, 2):
        start = "on paper, " if bits == 3 else ""
        yield Finding(f"{start}largest_code of {bits} bits", _q_fault(module, bits))
    random = check_rng(1).normal(size=(3, 9)) * [[0.5], [1.0], [3.0]]
    cases = {
        f"x {_PAPER}, Q 3, so s [[0.5], [2]]": (np.array(_PAPER), 3),
        "random x (3, 9), Q 7": (random, 7),
        "halves, x [[3, 2.5, 1.5, 0.5, -0.5, -2.5]], Q 3": (
            np.array([[3, 2.5, 1.5, 0.5, -0.5, -2.5]]),
            3,
        ),
        "a row of zeros": (np.array([[0.0, 0.0], [2.0, -1.0]]), 127),
        "a row of small numbers": (np.array([[1e-9, -2e-9], [2.0, -1.0]]), 127),
        "float32 stays float32": (random.astype(np.float32), 127),
    }
    for what, (x, q_max) in cases.items():
        yield Finding(what, _codes_fault(module.symmetric_codes(read_only(x), q_max), x, q_max))


def _q_fault(module: ModuleType, bits: int) -> str:
    """Compare Q with the formula; empty if it is right."""
    q, true = module.largest_code(bits), 2 ** (bits - 1) - 1
    if q is None:
        return "nothing is returned, expected a number: is the `return` missing?"
    if np.size(q) != 1 or np.asarray(q).dtype.kind not in "fiu":
        return f"it is {type(q).__name__}, expected a number"
    if q == true:
        return ""
    sign = "one bit is the sign, and bits - 1 are left"
    known = {
        f"{bits} bits hold -{2 ** (bits - 1)} to {true}; with 8 bits 128 wraps to -128": (
            2 ** (bits - 1)
        ),
        sign: 2**bits - 1,
        f"{sign}; 0 is a code, too": 2**bits,
        "in Python ^ is not a power; write **": 2 ^ (bits - 1) - 1,
    }
    cause = next((f": {sentence}" for sentence, wrong in known.items() if q == wrong), "")
    return f"Q is {q}, expected {true}{cause}"


def _codes_fault(result: Any, x: Array, q_max: int) -> str:
    """Compare codes and scales with the formula; empty if both are right."""
    if fault := not_arrays(result, ("q", "s"), [None] * 2):
        return fault
    codes, scale = result
    size = np.abs(x).max(axis=1, keepdims=True)
    true = size / q_max
    safe = np.where(true == 0, 1, true).astype(x.dtype)
    ratio = x / safe
    return (
        _scale_fault(scale, x, true, q_max)
        or wrong_type(codes, x.dtype, "q")
        or wrong_array(codes, np.rint(ratio) + 0.0, "q", _wrong_codes(x, ratio, safe))
    )


def _scale_fault(scale: Array, x: Array, true: Array, q_max: int) -> str:
    size, total = np.abs(x).max(axis=1, keepdims=True), np.abs(x).max() / q_max
    loud = "it is one scale for all rows: a loud row drowns the others; each row has its own"
    known = {
        loud: np.full(true.shape, total),
        f"{loud} (axis=1)": np.asarray(total),
        f"{loud} (axis=1).": np.full((1, 1), total),
        "it has one number for each column; each row has one: axis=1": (
            np.abs(x).max(axis=0, keepdims=True) / q_max
        ),
        "it has one number for each column; each row has one: axis=1, keepdims=True": (
            np.abs(x).max(axis=0) / q_max
        ),
        "these are the codes: return q, then s": np.rint(x / np.where(true == 0, 1, true)),
        "it is max x / Q; the largest magnitude may be that of a negative number": (
            x.max(axis=1, keepdims=True) / q_max
        ),
        "it is max|x|; divide by Q": size,
        "it is max|x| / (Q + 1); the largest magnitude gets the code Q": size / (q_max + 1),
        "it is Q / max|x|, the inverse": q_max / np.where(size == 0, 1, size),
        "it is (max - min) / 2Q; a symmetric grid has its 0 in the middle": (
            np.ptp(x, axis=1, keepdims=True) / (2 * q_max)
        ),
        ZERO_ROW: (np.where(true == 0, 1, true).astype(x.dtype)),
    }
    rtol = 1e-9 if x.itemsize == 8 else 1e-6
    return wrong_array(scale, true, "s", known, rtol=rtol) or zero_row_fault(scale, true)


def zero_row_fault(scale: Array, true: Array) -> str:
    """Look for a row of zeros with a scale, however small compared with those of other rows."""
    is_zero = not scale[true == 0].any()
    return "" if is_zero else f"s: {ZERO_ROW}"


def _wrong_codes(x: Array, ratio: Array, safe: Array) -> dict[str, Array]:
    up, magnitude = np.floor(ratio + 0.5), np.floor(np.abs(ratio) + 0.5)
    even = "halves go to the even neighbour, as np.rint does"
    with np.errstate(invalid="ignore"):
        undefined = np.rint(x / np.where((x == 0).all(axis=1, keepdims=True), 0, safe))
    return {
        f"halves are rounded up; {even}": up,
        f"halves are rounded down; {even}": np.ceil(ratio - 0.5),
        f"halves are rounded away from 0; {even}": np.copysign(magnitude, ratio),
        "they are rounded down, so the error has a mean of half a step": np.floor(ratio),
        "they are rounded up, so the error has a mean of half a step": np.ceil(ratio),
        "they are cut towards 0; round to the nearest": np.trunc(ratio),
        "they are not rounded": ratio,
        "a row of zeros is divided by its scale, 0 / 0": undefined,
        "this is x_hat = q s; codes are wanted": np.rint(ratio) * safe,
        "x is multiplied by the scale; divide": np.rint(x * safe),
        "the sign is lost": np.abs(np.rint(ratio)),
        "small rows vanish: only a scale of 0 may be replaced before the division": (
            np.rint(ratio) * (safe > 1e-6)
        ),
    }


QUANTIZE_SYMMETRIC = Exercise(
    name="quantize_symmetric",
    module="quant.uniform",
    chapter="10_eight_bits",
    title="a symmetric grid for each row",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=PLAIN,
    wrong_answers=(
        WrongAnswer(
            "a code too many",
            "return 2 ** (bits - 1) - 1",
            "return 2 ** (bits - 1)",
            "3 bits hold -4 to 3; with 8 bits 128 wraps to -128",
        ),
        WrongAnswer(
            "rounded down",
            "np.rint(x / safe)",
            "np.floor(x / safe)",
            "they are rounded down, so the error has a mean of half a step",
        ),
        WrongAnswer(
            "one scale for all rows",
            "np.abs(x).max(axis=1, keepdims=True)     # (M, 1)",
            "np.abs(x).max(keepdims=True)",
            "it is one scale for all rows: a loud row drowns the others",
        ),
        WrongAnswer(
            "halves are rounded up",
            "np.rint(x / safe)",
            "np.floor(x / safe + 0.5)",
            "halves are rounded up; halves go to the even neighbour",
        ),
        WrongAnswer(
            "a row of zeros divides zero by zero",
            "np.where(scale == 0, 1, scale).astype(x.dtype)",
            "scale",
            "a row of zeros is divided by its scale, 0 / 0",
        ),
        WrongAnswer(
            "the largest value for the largest magnitude",
            "size = np.abs(x).max(",
            "size = x.max(",
            "the largest magnitude may be that of a negative number",
        ),
    ),
)
