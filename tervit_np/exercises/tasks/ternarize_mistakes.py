"""Compare codes, scales and thresholds with the formula, and name the mistake: for `ternarize`."""

import math

import numpy as np

from tervit_np.arrays import Array
from tervit_np.exercises.comparison import is_expected
from tervit_np.verify.diagnosis import wrong_shape

_FACTOR = 0.7


def by_formula(row: Array) -> tuple[list[int], float, float]:
    """Ternarize one row weight by weight, with exact sums.  (n,) -> codes, alpha, Delta."""
    sizes = [abs(float(w)) for w in row]
    delta = _FACTOR * (math.fsum(sizes) / len(sizes))
    above = [size for size in sizes if size > delta]
    codes = [int(math.copysign(size > delta, w)) for w, size in zip(row, sizes, strict=True)]
    return codes, math.fsum(above) / len(above) if above else 0.0, delta


def wrong_delta(delta: Array, true: Array, matrix: Array) -> str:
    """Name the mistake in the thresholds; empty if there is none."""
    size = np.abs(matrix)
    known = {
        "it is one number for the matrix; each row has its own": (
            np.full(len(size), _FACTOR * size.mean())
        ),
        "it is 0.7 max|w|: with it nearly all weights become 0; take the mean of |w|": (
            _FACTOR * size.max(axis=1)
        ),
        "it uses the mean of w, not of |w|": _FACTOR * matrix.mean(axis=1),
        "the factor 0.7 is missing": true / _FACTOR,
        "the mean runs over the weights that are not 0; it must run over the whole row": (
            _FACTOR * size.sum(axis=1) / np.maximum((size > 0).sum(axis=1), 1)
        ),
    }
    return _compare("delta", delta, true, known, matrix.shape[1])


def wrong_codes(codes: Array, true: Array, matrix: Array, delta: Array) -> str:
    """Name the mistake in the codes; empty if there is none."""
    if codes.shape != true.shape:
        return f"codes: {wrong_shape(codes.shape, true.shape)}"
    if np.array_equal(codes, true):
        return ""
    i, j = np.argwhere(codes != true)[0]
    wrong = f"row {i}: {matrix[i, j]:g} became {codes[i, j]}, expected {true[i, j]}"
    if codes.any() and np.array_equal(codes, (matrix * np.abs(true)).astype(codes.dtype)):
        return f"{wrong}: this is the weight itself; take its sign"
    if not np.isin(codes, (-1, 0, 1)).all():
        return f"{wrong}; codes are only -1, 0 and 1, alpha is returned separately"
    if np.array_equal(codes, np.abs(true)):
        return f"{wrong}: the sign is lost"
    if np.abs(matrix[i, j]) == delta[i]:
        return f"{wrong}: |w| equals Delta = {delta[i]:g}, and the inequality is strict"
    return f"{wrong}: |w| is {abs(matrix[i, j]):.4g} and Delta {delta[i]:.4g}"


def wrong_type(codes: Array) -> str:
    """Explain codes that are not int8; empty if they are."""
    if codes.dtype == np.int8:
        return ""
    return f"codes are {codes.dtype}, expected int8: one byte is enough for -1, 0 and 1"


def wrong_alpha(alpha: Array, true: Array, matrix: Array, codes: Array) -> str:
    """Name the mistake in the scales; empty if there is none."""
    size, count = np.abs(matrix), np.abs(codes).sum(axis=1)
    total = (size * np.abs(codes)).sum(axis=1)
    if np.isnan(alpha).any() and not matrix[np.isnan(alpha)].any():
        return "alpha of a row of zeros is nan, expected 0: no |w| is above Delta, this is 0 / 0"
    known = {
        "it is the mean over the whole row; the formula has that over t_i != 0": (
            size.mean(axis=1)
        ),
        "the sum is divided by the length of the row, not by the number of t_i != 0": (
            total / size.shape[1]
        ),
        "it is a sum; divide by the number of t_i != 0": total,
        "it is the mean of w over t_i != 0, not of |w|": (
            (matrix * np.abs(codes)).sum(axis=1) / np.maximum(count, 1)
        ),
        "it is the largest weight": size.max(axis=1),
    }
    message = _compare("alpha", alpha, true, known, matrix.shape[1])
    if not message or alpha.shape != true.shape or not np.isfinite(alpha).all():
        return message
    i = int(np.argmax(np.abs(alpha - true)))
    error, least = (((matrix[i] - a * codes[i]) ** 2).sum() for a in (float(alpha[i]), true[i]))
    if not error > least * (1 + 1e-6):
        return message
    return (
        f"{message}. |w - alpha t|^2 of row {i} is {error:.4g} with {alpha[i]:.4g}, {least:.4g} "
        + (f"with {true[i]:.4g}, the least that these codes allow")
    )


def _compare(name: str, values: Array, true: Array, known: dict[str, Array], columns: int) -> str:
    """Explain how the number of a row is wrong; it must be exact to the last place of its type."""
    if values.shape == (columns,) != true.shape:
        return f"{name} has one number for each column; each row has one: axis=1"
    if values.shape != true.shape:
        return f"{name}: {wrong_shape(values.shape, true.shape)}; there is one number for each row"
    eps = float(np.finfo(values.dtype).eps)
    if np.allclose(values, true, rtol=max(eps, 1e-14), atol=0):
        return ""
    for sentence, wrong in known.items():
        if np.allclose(values, wrong, rtol=1e-6) and not np.allclose(wrong, true, rtol=1e-5):
            return f"{name}: {sentence}"
    if not np.isfinite(values).all():
        return f"{name} is {values[~np.isfinite(values)][0]}: do the sums run in float64?"
    i = int(np.argmax(np.abs(values - true)))
    deviation = abs(float(values[i]) / true[i] - 1) if true[i] else math.inf
    numbers = f"{name} of row {i} {is_expected(values[i], true[i], (9, 17))}"
    if deviation < 1e-2 and eps > 1e-9:
        cause = f"sums in {values.dtype} lose small weights; use float64"
        return f"{numbers}, {deviation:.1e} off: {cause}"
    return numbers
