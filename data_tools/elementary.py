"""exp, log, tanh, sin and cos to the same bits on every machine.

NumPy's and the C library's own differ in the last digit from one processor and system to the next.
Sums, products, quotients and powers of two are exact to the rounding everywhere (IEEE 754), so a
polynomial in float64 that is evaluated by NumPy, one operation after another, is so too.

    exp(x) = 2^n exp(r)             n = round(x / ln 2),   |r| <= ln(2) / 2
    log(x) = e ln 2 + 2 atanh(f)    x = m 2^e,   f = (m - 1) / (m + 1),   |f| <= 0.172
    tanh(x) = (1 - e) / (1 + e)     e = exp(-2x),   x >= 0.01;   x - x^3/3 + 2 x^5/15 below
    sin, cos                        x = n pi/2 + r,   |r| <= pi/4, for |x| up to 1e5

The series are Taylor's, as far as float64 sees them; the error is below 3 units in the last place.
"""

import math
from collections.abc import Sequence

import numpy as np

from data_tools.imageset import Array

_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # the high part is
_EXP = [1 / math.factorial(k) for k in range(14)]  # short, so that n times it is exact
_ATANH = [2 / k for k in range(1, 24, 2)]
_SIN = [(-1) ** (k // 2) / math.factorial(k) for k in range(1, 18, 2)]
_SIN32 = [np.float32(c) for c in _SIN[:7]]
_COS = [(-1) ** (k // 2) / math.factorial(k) for k in range(0, 19, 2)]
_HALF_PI = (1.57079632673412561417e00, 6.07710050630396597660e-11, 2.02226624879595063154e-21)


def exp(x: Array | float) -> Array:
    """exp(x) in float64; 0 below -745, infinity above 709.  NaN -> NaN."""
    x = np.clip(np.asarray(x, np.float64), -746.0, 710.0)
    n = np.rint(x * (1 / math.log(2)))
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    with np.errstate(over="ignore", under="ignore"):
        y: Array = np.ldexp(_polynomial(_EXP, r), np.nan_to_num(n).astype(np.int32))
    return y


def log(x: Array | float) -> Array:
    """log(x) in float64, for positive and finite x."""
    m, e = np.frexp(np.asarray(x, np.float64))
    small = m < math.sqrt(0.5)
    m, e = np.where(small, 2 * m, m), np.where(small, e - 1, e)
    f = (m - 1) / (m + 1)
    y: Array = e * _LN2_HIGH + (f * _polynomial(_ATANH, f * f) + e * _LN2_LOW)
    return y


def tanh(x: Array | float) -> Array:
    """tanh(x) in float64, relative error below 1e-13."""
    x = np.asarray(x, np.float64)
    e = exp(-2 * np.abs(x))
    small = np.clip(x, -0.01, 0.01)  # where 1 - e would lose digits
    square = small * small
    series = small * (1 - square / 3 + 2 * square * square / 15)
    y: Array = np.where(np.abs(x) < 0.01, series, np.sign(x) * ((1 - e) / (1 + e)))
    return y


def sin(x: Array | float) -> Array:
    """sin(x) in float64, for |x| up to 1e5."""
    return _wave(np.asarray(x, np.float64), 0)


def cos(x: Array | float) -> Array:
    """cos(x) in float64, for |x| up to 1e5."""
    return _wave(np.asarray(x, np.float64), 1)


def sin32(x: Array) -> Array:
    """sin(x) in float32, for float32 |x| up to 1e5: one polynomial on [-pi/2, pi/2]."""
    n = np.rint(x.astype(np.float64) * (1 / math.pi))
    r = (x - n * math.pi).astype(np.float32)
    y: Array = r * _polynomial(_SIN32, r * r)
    return np.where(n % 2 == 0, y, -y)


def power(x: float, n: int) -> float:
    """x^n for an integer n >= 0, by squaring."""
    y = 1.0
    while n:
        if n % 2:
            y *= x
        x, n = x * x, n // 2
    return y


def normal32(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw normal numbers in float32.

    NumPy asks the C library for one draw in 3,700, far from zero. In float64 its last digit is lost
    when it is rounded to float32; drawn in float32 it would show.
    """
    return rng.standard_normal(shape).astype(np.float32)


def _wave(x: Array, quarter: int) -> Array:
    """sin(x + quarter pi/2)."""
    n = np.rint(x * (2 / math.pi))
    r = x
    for part in _HALF_PI:
        r = r - n * part
    square = r * r
    s, c = r * _polynomial(_SIN, square), _polynomial(_COS, square)
    turn = (n.astype(np.int64) + quarter) % 4
    y: Array = np.where(turn % 2 == 0, s, c) * np.where(turn < 2, 1.0, -1.0)
    return y


def _polynomial(coefficients: Sequence[float] | Sequence[np.float32], x: Array) -> Array:
    """Horner's scheme, constant first."""
    y = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        y = y * x + c
    return y
