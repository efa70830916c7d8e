"""Three rules that find the scale s of a static quantizer from values x that its layer gets.

    min-max         Q s = max |x|                        nothing is clipped
    percentile      Q s = the value that 99.9 % of |x| do not exceed
    least squares   Q s = the one with the least sum (x_hat - x)^2 of 64 ends, (11/12)^i max |x|

Q s is the end of the grid, Q = 2^(b-1) - 1. Rounding is off by up to half a step, which grows with
the end; clipping is off by the distance to the end, which shrinks with it. Least squares weighs one
against the other; its ends reach down to max |x| / 240. TensorRT and ONNX Runtime have the first
two rules, and Nagel et al. (2021, section 3.1) describe the third as "MSE".

A rule sees the values of one layer alone. The scale that is best for them need not be best for what
the model computes from them (chapter 11).
"""

import numpy as np

from data_tools.plain_numbers import is_finite_number
from tervit_np.arrays import Array
from tervit_np.quant.static import TINY, StaticAct
from tervit_np.quant.uniform import largest_code

CALIBRATIONS = ("min-max", "percentile", "least-squares")
PERCENT = 99.9
_ENDS = np.cumprod([1.0, *[11 / 12] * 63])  # as fractions of the largest magnitude


def minmax_scale(x: Array, bits: int) -> float:
    """Fit the grid to the largest magnitude.  (...) -> s."""
    return float(np.abs(x).max()) / largest_code(bits)


def percentile_scale(x: Array, bits: int, percent: float = PERCENT) -> float:
    """Fit the grid to a percentile of the magnitudes, interpolated linearly.  (...) -> s."""
    return float(np.percentile(np.abs(x), percent)) / largest_code(bits)


def least_squares_scale(x: Array, bits: int) -> float:
    """Fit the grid that changes the values least.  (...) -> s."""
    scales = minmax_scale(x, bits) * _ENDS
    possible: list[float] = scales[scales >= TINY].tolist()
    return min(possible, key=lambda scale: squared_error(x, StaticAct(bits, scale)))


def squared_error(x: Array, quantizer: StaticAct) -> float:
    """Sum (x_hat - x)^2 in the order of the values, so that all processors add alike."""
    difference = quantizer.encode(x).dequantize().astype(np.float64) - x
    return float(np.cumsum(difference * difference)[-1])


def find_scale(x: Array, bits: int, rule: str, percent: float = PERCENT) -> float:
    """Apply the rule of this name to the values of one layer.  (...) -> s.

    Raises
    ------
    ValueError
        If the rule is unknown, the percentage is not above 0 and at most 100, a value is not
        finite, or the grid would end at 0 because the values, or so many of them, are 0.
    """
    check_rule(rule, percent)
    if x.size == 0 or not np.isfinite(x).all():
        raise ValueError("it has no values" if x.size == 0 else "a value is NaN or infinite")
    if minmax_scale(x, bits) < TINY:
        raise ValueError("all values are 0, or too small for a scale")
    if rule == "least-squares":
        return least_squares_scale(x, bits)
    scale = minmax_scale(x, bits) if rule == "min-max" else percentile_scale(x, bits, percent)
    if scale < TINY:
        raise ValueError(f"{percent:g} % of the values are 0; choose min-max or least-squares")
    return scale


def check_rule(rule: str, percent: object = PERCENT) -> None:
    """Raise ValueError if a rule is unknown or a percentage out of range."""
    if rule not in CALIBRATIONS:
        raise ValueError(f"rule is {rule!r}; expected one of {', '.join(CALIBRATIONS)}")
    if not (is_finite_number(percent) and 0 < percent <= 100):
        raise ValueError(f"percent is {percent!r}; expected a number above 0 and at most 100")
