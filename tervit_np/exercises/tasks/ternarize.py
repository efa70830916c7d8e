"""Exercise: three values for each row of a weight matrix."""

import math
from collections.abc import Iterator
from types import ModuleType

import numpy as np

from tervit_np.arrays import Array
from tervit_np.exercises.exercise import Exercise, Finding, Wrong
from tervit_np.exercises.gradients import locked

TASK = """
Each row w of the matrix, n weights, becomes alpha t with t in {-1, 0, 1}:

    Delta = 0.7 mean|w|
    t_i   = sign(w_i) where |w_i| > Delta, else 0
    alpha = mean of |w_i| over the i with t_i != 0

The lines that are given turn w of any shape into `matrix` (out, n), one row for
each output channel, in the type of w. Find for all rows at once

    codes (out, n), int8        alpha (out,)        delta (out,)

* a weight on the threshold becomes 0: the inequality is strict;
* sums run in float64, whatever type the weights have;
* a row of zeros gets alpha 0 and codes 0.

The last lines bring all three into shape. The check uses the default options,
threshold "twn" and scale "support"; the library's lines do the others as well.
"""

HINTS = (
    "Begin with the magnitudes in float64, size = np.abs(matrix).astype(np.float64). Every mean is "
    "one of a row: axis=1. What is kept is a mask, size > delta with delta as a column, "
    "delta[:, None].",
    "A mean over a mask is a sum over a count: add up size where the mask holds, divide by how "
    "often it holds. In a row of zeros nothing is larger than 0, so the count is 0: divide by at "
    "least 1.",
    "  size   = np.abs(matrix).astype(np.float64)\n"
    "  delta  = 0.7 * size.mean(axis=1)\n"
    "  chosen = size > delta[:, None]\n"
    "  total  = np.where(chosen, size, 0).sum(axis=1)\n"
    "  alpha  = total / np.maximum(chosen.sum(axis=1), 1)\n"
    "  codes  = (np.sign(matrix) * chosen).astype(np.int8)",
)

_FACTOR = 0.7
_BY_HAND = [[0.1, -0.5, 0.3, 1.5]]  # mean 0.6, Delta 0.42; 0.5 and 1.5 remain, their mean is 1
_ON_THRESHOLD = [[0.7, -1.3, 1.0, 1.0], [-0.7, 0.7, 1.3, -1.3]]  # means 1, so Delta is 0.7
_ZEROS = [[0.0, 0.0, 0.0], [1.0, -2.0, 0.0], [-0.0, 0.0, 0.0]]


def check(module: ModuleType) -> Iterator[Finding]:
    """Worked rows, random tensors, the threshold itself, zeros, narrow types."""
    n = np.random.default_rng(1).normal
    rows = np.array([[0.5], [1.0], [3.0]])
    cases = {
        "one row by hand, [0.1, -0.5, 0.3, 1.5]": np.array(_BY_HAND),
        "three random rows of nine, of different size": n(size=(3, 9)) * rows,
        "a convolution (3, 2, 3, 3)": n(size=(3, 2, 3, 3)) * rows[:, :, None, None],
        "weights on the threshold, [0.7, -1.3, 1, 1]": np.array(_ON_THRESHOLD),
        "a row of zeros": np.array(_ZEROS),
        "float32: few large weights, many small ones": _lopsided(),
        "float16: weights whose sum is beyond its range": np.full((1, 300), 1000, np.float16),
    }
    for what, w in cases.items():
        yield Finding(what, _fault(module.ternarize(locked(w)), w))


def _lopsided() -> Array:
    """Return a row of which float32 sums drop the small weights, one after the other."""
    w = np.full((1, 128), 2.0**-24, np.float32)  # half a unit in the last place of 1
    w[0, :8] = 1
    return w


def _fault(found: object, w: Array) -> str:
    """Compare what was returned with the formula; empty if it is right."""
    codes, alpha, delta = (getattr(found, name, None) for name in ("codes", "scale", "threshold"))
    for name, value in (("codes", codes), ("alpha", alpha), ("delta", delta)):
        if not isinstance(value, np.ndarray):
            return f"{name} is no array: the last lines return a TernaryTensor of three arrays"
    assert isinstance(codes, np.ndarray) and isinstance(alpha, np.ndarray)
    assert isinstance(delta, np.ndarray)
    matrix = w.reshape(len(w), -1).astype(np.float64)
    true = [_by_formula(row) for row in matrix]
    true_codes, true_alpha, true_delta = (np.array([t[i] for t in true]) for i in range(3))
    return (
        _wrong_delta(delta, true_delta, matrix)
        or _wrong_codes(codes.reshape(matrix.shape), true_codes, matrix, true_delta)
        or _wrong_alpha(alpha, true_alpha, matrix, true_codes)
        or _wrong_type(codes)
    )


def _by_formula(row: Array) -> tuple[list[int], float, float]:
    """One row, a weight at a time, with exact sums.  (n,) -> codes, alpha, Delta."""
    sizes = [abs(float(w)) for w in row]
    delta = _FACTOR * (math.fsum(sizes) / len(sizes))
    kept = [size for size in sizes if size > delta]
    codes = [int(math.copysign(size > delta, w)) for w, size in zip(row, sizes, strict=True)]
    return codes, math.fsum(kept) / len(kept) if kept else 0.0, delta


def _wrong_delta(delta: Array, true: Array, matrix: Array) -> str:
    size = np.abs(matrix)
    known = {
        "it is one number for the whole matrix; each row has its own": (
            np.full(len(size), _FACTOR * size.mean())
        ),
        "the mean is of w, where it belongs to |w|": _FACTOR * matrix.mean(axis=1),
        "the factor 0.7 is missing": true / _FACTOR,
        "the mean runs over the weights that are not 0; it belongs to the whole row": (
            _FACTOR * size.sum(axis=1) / np.maximum((size > 0).sum(axis=1), 1)
        ),
    }
    return _compare("delta", delta, true, known)


def _wrong_codes(codes: Array, true: Array, matrix: Array, delta: Array) -> str:
    if np.array_equal(codes, true):
        return ""
    i, j = np.argwhere(codes != true)[0]
    found = f"row {i}: {matrix[i, j]:g} became {codes[i, j]}, expected {true[i, j]}"
    if np.array_equal(codes, (matrix * np.abs(true)).astype(codes.dtype)):
        return f"{found}: the weight itself stands there; take its sign"
    if not np.isin(codes, (-1, 0, 1)).all():
        return f"{found}; codes are -1, 0 and 1 alone, alpha is kept apart"
    if np.array_equal(codes, np.abs(true)):
        return f"{found}: the sign is lost"
    if np.abs(matrix[i, j]) == delta[i]:
        return f"{found}: it lies on Delta = {delta[i]:g}, and the inequality is strict"
    return f"{found}: |w| is {abs(matrix[i, j]):.4g} and Delta {delta[i]:.4g}"


def _wrong_type(codes: Array) -> str:
    wide = f"codes are {codes.dtype}, expected int8: a byte is enough for -1, 0 and 1"
    return "" if codes.dtype == np.int8 else wide


def _wrong_alpha(alpha: Array, true: Array, matrix: Array, codes: Array) -> str:
    size, count = np.abs(matrix), np.abs(codes).sum(axis=1)
    total = (size * np.abs(codes)).sum(axis=1)
    if np.isnan(alpha).any() and not matrix[np.isnan(alpha)].any():
        return "alpha of a row of zeros is nan, expected 0: nothing is kept, so this is 0 / 0"
    known = {
        "it is the mean over the whole row; TerViT's default is the mean over what is kept": (
            size.mean(axis=1)
        ),
        "what is kept is divided by the length of the row, not by how much is kept": (
            total / size.shape[1]
        ),
        "it is a sum; divide by how many weights are kept": total,
        "it is the mean of w over what is kept, where it belongs to |w|": (
            (matrix * np.abs(codes)).sum(axis=1) / np.maximum(count, 1)
        ),
        "it is the largest weight": size.max(axis=1),
    }
    why = _compare("alpha", alpha, true, known)
    if not why or alpha.shape != true.shape or not np.isfinite(alpha).all():
        return why
    i = int(np.argmax(np.abs(alpha - true)))
    mine, best = (((matrix[i] - a * codes[i]) ** 2).sum() for a in (float(alpha[i]), true[i]))
    if not mine > best * (1 + 1e-6):
        return why
    return f"{why}. |w - alpha t|^2 of row {i} is {mine:.4g} with {alpha[i]:.4g}, {best:.4g} " + (
        f"with {true[i]:.4g}, the least that these codes allow"
    )


def _compare(name: str, found: Array, true: Array, known: dict[str, Array]) -> str:
    """Say how a row's number is wrong; exact up to the last place of its type."""
    if found.shape != true.shape:
        return f"{name} is {found.shape}, expected {true.shape}: one number for each row"
    eps = float(np.finfo(found.dtype).eps)
    if np.allclose(found, true, rtol=max(eps, 1e-14), atol=0):
        return ""
    for sentence, wrong in known.items():
        if np.allclose(found, wrong, rtol=1e-6) and not np.allclose(wrong, true, rtol=1e-5):
            return f"{name}: {sentence}"
    if not np.isfinite(found).all():
        return f"{name} is {found[~np.isfinite(found)][0]}: do the sums run in float64?"
    i = int(np.argmax(np.abs(found - true)))
    far = abs(float(found[i]) / true[i] - 1) if true[i] else math.inf
    numbers = f"{name} of row {i} is {found[i]:.9g}, expected {true[i]:.9g}"
    if far < 1e-2 and eps > 1e-9:
        return f"{numbers}, {far:.1e} off: sums in {found.dtype} lose small weights; use float64"
    return numbers


_STRICT = "delta = factor * mean\n        chosen = size > delta"

TERNARIZE = Exercise(
    name="ternarize",
    module="quant.ternarize",
    chapter="06_from_8_bits_to_three_values",
    title="three values for each row of a weight matrix",
    task=TASK,
    hints=HINTS,
    check=check,
    wrong=(
        Wrong(
            "a weight on the threshold is kept",
            _STRICT,
            _STRICT.replace(">", ">="),
            "it lies on Delta = 0.7, and the inequality is strict",
        ),
        Wrong(
            "a row of zeros divides zero by zero",
            "np.maximum(chosen.sum(axis=1), 1)",
            "chosen.sum(axis=1)",
            "alpha of a row of zeros is nan, expected 0",
        ),
        Wrong(
            "the scale is the mean over the whole row",
            "total / np.maximum(chosen.sum(axis=1), 1)",
            "mean",
            "alpha: it is the mean over the whole row",
        ),
        Wrong(
            "sums run in the type of the weights",
            "matrix.astype(np.float64)",
            "matrix",
            "sums in float32 lose small weights",
        ),
    ),
)
