"""Name the likely mistake behind a wrong gradient, from its numbers alone."""

import math

import numpy as np

from tervit_np.arrays import Array
from tervit_np.verify.gradcheck import GradientCheck

_CONSTANTS = {
    -1.0: "the sign is wrong",
    0.5: "half of it is missing: one of two paths (a residual?) is not added",
    2.0: "it is counted twice",
}


def likely_mistake(check: GradientCheck, factors: dict[str, float] | None = None) -> str:
    """Name the likely mistake in one sentence.

    `factors` are lengths that may be missing as a factor, such as {"K": 4, "batch": 3}: the ratio
    of the gradients is compared with each length, its square, its root and their inverses.
    """
    analytic, numeric = np.asarray(check.analytic), np.asarray(check.numeric)
    if not np.isfinite(analytic).all():
        return "the gradient is not finite: a division by zero or an overflow in the backward"
    if analytic.shape != numeric.shape:
        return wrong_shape(analytic.shape, numeric.shape)
    if not analytic.any() and numeric.any():
        return "the gradient is zero: it is never computed or never added"
    if (ratio := _constant_ratio(analytic, numeric)) is not None:
        return _explain_ratio(ratio, factors or {})
    if _is_transposed(analytic, numeric):
        return "it is transposed"
    error = analytic - numeric
    if error.ndim >= 2 and _close(error, error.mean(axis=-1, keepdims=True)):
        return "off by a constant in each row: the mean (or the sum) along the row is not removed"
    wrong = np.abs(error) > 1e-6 * np.abs(numeric).max()
    if wrong.mean() < 0.9:
        return (
            f"{wrong.sum()} of {wrong.size} elements are wrong: those of an edge, an overlap or an "
            "index (assigned where it should be added?)"
        )
    if error.size > 1 and np.sign(analytic[wrong] * numeric[wrong]).mean() > 0.6:
        return "roughly right: a term of the derivative is missing, or one factor is wrong"
    return "unrelated to the true gradient: the wrong operand, axis or order"


def wrong_shape(shape: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """Say what turns `expected` into `shape`, the shape of a wrong result."""
    fewer, more = len(shape) < len(expected), len(shape) > len(expected)
    ones = [n for n in shape if n != 1] == [n for n in expected if n != 1]
    if ones and more:
        cause = "drop keepdims"
    elif ones and fewer:
        cause = "keepdims=True keeps the axis that is summed over"
    elif fewer and _is_part(shape, expected):
        cause = "one sum too many"
    elif more and _is_part(expected, shape):
        cause = "a sum is missing"
    elif sorted(shape) == sorted(expected):
        cause = "it is transposed"
    elif math.prod(shape) == math.prod(expected):
        cause = "the number of elements is right: reshape it"
    else:
        cause = "a sum or a transpose is missing"
    return f"its shape is {shape}, expected {expected}: {cause}"


def _is_part(part: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether leaving out some axes of a shape gives the other."""
    remaining = iter(shape)
    return all(n in remaining for n in part)


def _is_transposed(a: Array, b: Array) -> bool:
    return a.ndim >= 2 and a.shape[-1] == a.shape[-2] and _close(a.swapaxes(-1, -2), b)


def _constant_ratio(a: Array, b: Array) -> float | None:
    """Return r if a = r b for all elements."""
    if not b.any():
        return None
    ratio = float((a * b).sum() / (b * b).sum())
    return ratio if _close(a, ratio * b) else None


def _explain_ratio(ratio: float, factors: dict[str, float]) -> str:
    """Compare a constant ratio with known constants, then with powers of the factors."""
    for constant, mistake in _CONSTANTS.items():
        if np.isclose(ratio, constant, rtol=1e-4):
            return f"exactly {constant:g} times the true gradient: {mistake}"
    for name, size in factors.items():
        for power, factor in ((1.0, f"{name}"), (0.5, f"sqrt({name})"), (2.0, f"{name}^2")):
            if np.isclose(ratio, size**power, rtol=1e-4):
                return f"{ratio:.4g} = {factor} times the true gradient: 1/{factor} is missing"
            if np.isclose(ratio, size**-power, rtol=1e-4):
                return (
                    f"{ratio:.4g} = 1/{factor} times the true gradient: "
                    f"a factor of {factor} is missing"
                )
    return f"{ratio:.4g} times the true gradient everywhere: a constant factor"


def _close(a: Array, b: Array) -> bool:
    return bool(np.abs(a - b).max() <= 1e-5 * max(np.abs(b).max(), 1e-300))
