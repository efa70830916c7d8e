"""exp and the Gaussian cumulative in float32, written so that the compiler makes vectors of them.

The mathematical library's exp is a scalar call. Here

    exp(x) = 2^n exp(r),   n = round(x / ln 2),   r = x - n ln 2 in [-0.35, 0.35]

with a polynomial for exp(r), and 2^n made by writing n + 127 into the exponent bits. For the
Gaussian, with t = |x| and u = 1 / (1 + t / 3),

    Phi(-t) = phi(t) M(t),   M(t) sqrt(2 pi) fitted by a polynomial in u

so that one exponential serves both Phi and the density phi, which GELU's backward needs as well.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tervit_np.kernels.jit import kernel

F = np.float32
_LOG2E = F(1 / math.log(2))
_LN2_HIGH = F(0.693359375)  # few bits, so that n * _LN2_HIGH is exact
_LN2_LOW = F(math.log(2) - 0.693359375)
_ROUND = F(1.5 * 2**23)  # adding it leaves the nearest integer in the low bits
_ROUND_BITS = np.int32(np.float32(1.5 * 2**23).view(np.int32))
_LOWEST = F(-87.0)
_HIGHEST = F(88.0)
_C2, _C3, _C4, _C5, _C6 = (F(1 / math.factorial(n)) for n in range(2, 7))
ONE = F(1)
_HALF = F(0.5)


@intrinsic
def bits_to_float(typing: Any, bits: Any) -> Any:
    """Read an int32's bits as a float32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), generate


@intrinsic
def float_to_bits(typing: Any, value: Any) -> Any:
    """Read a float32's bits as an int32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), generate


@kernel(fastmath={"contract"})  # reordering would cancel the rounding trick
def exp32(x: Any) -> Any:
    """exp(x) to 2 units in the last place; below -87 it stays at exp(-87) = 1e-38.  NaN -> NaN."""
    x = min(max(x, _LOWEST), _HIGHEST) if x == x else x
    shifted = x * _LOG2E + _ROUND
    n = shifted - _ROUND
    r = x - n * _LN2_HIGH
    r = r - n * _LN2_LOW
    p = ONE + r * (ONE + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * _C6)))))
    exponent = (float_to_bits(shifted) - _ROUND_BITS + np.int32(127)) << np.int32(23)
    return p * bits_to_float(np.int32(exponent))


def _fit_mills(degree: int = 9, reach: float = 12.0) -> list[np.float32]:
    """Fit sqrt(2 pi) M(t) by a polynomial in u = 1 / (1 + t / 3) at Chebyshev points of u."""
    low = 1 / (1 + reach / 3)
    nodes = np.cos(np.pi * (np.arange(64) + 0.5) / 64)
    u = low + (1 - low) * (nodes + 1) / 2
    t = 3 * (1 / u - 1)
    mills = [0.5 * math.erfc(a / math.sqrt(2)) * math.exp(0.5 * a * a) for a in t]
    powers = u[:, None] ** np.arange(degree + 1)
    coefficients = np.linalg.lstsq(powers, np.array(mills), rcond=None)[0]
    return [F(c) for c in coefficients]


_M0, _M1, _M2, _M3, _M4, _M5, _M6, _M7, _M8, _M9 = _fit_mills()
_THIRD = F(1 / 3)
_FAR = F(12.0)
DENSITY = F(1 / math.sqrt(2 * math.pi))


@kernel(fastmath={"contract"})
def gaussian(x: Any) -> Any:
    """Return Phi(x) and exp(-x^2 / 2)."""
    t = min(abs(x), _FAR) if x == x else x
    bell = exp32(-_HALF * t * t)
    u = ONE / (ONE + t * _THIRD)
    high = _M5 + u * (_M6 + u * (_M7 + u * (_M8 + u * _M9)))
    tail = bell * (_M0 + u * (_M1 + u * (_M2 + u * (_M3 + u * (_M4 + u * high)))))
    return (ONE - tail if x > F(0) else tail), bell
