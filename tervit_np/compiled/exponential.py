"""exp in float32, written so that the compiler makes vectors of it.

The mathematical library's exp is a scalar call. Here

    exp(x) = 2^n exp(r),   n = round(x / ln 2),   r = x - n ln 2 in [-0.35, 0.35]

with a polynomial for exp(r), to whose exponent bits n is added.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tervit_np.compiled.jit import kernel

F = np.float32
ONE = F(1)
_LOG2E = F(1 / math.log(2))
_LN2_HIGH = F(0.693359375)  # few bits, so that n * _LN2_HIGH is exact
_LN2_LOW = F(math.log(2) - 0.693359375)
_ROUND = F(1.5 * 2**23)  # adding it leaves the nearest integer in the low bits
_LOWEST, _HIGHEST = F(-87.0), F(88.0)
_MANTISSA = np.int32(23)  # bits below the exponent


def _fit_remainder(degree: int = 3) -> list[np.float32]:
    """Fit (exp(r) - 1 - r) / r^2 by a polynomial at Chebyshev points of [-ln(2) / 2, ln(2) / 2]."""
    r = np.cos(np.pi * (np.arange(64) + 0.5) / 64) * math.log(2) / 2
    powers = r[:, None] ** np.arange(2, degree + 3)
    return [F(c) for c in np.linalg.lstsq(powers, np.exp(r) - 1 - r, rcond=None)[0]]


_C2, _C3, _C4, _C5 = _fit_remainder()


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
    x = _LOWEST if x < _LOWEST else x  # written so that NaN passes
    x = _HIGHEST if x > _HIGHEST else x
    shifted = x * _LOG2E + _ROUND
    n = shifted - _ROUND
    r = x - n * _LN2_HIGH
    r = r - n * _LN2_LOW
    p = ONE + r * (ONE + r * (_C2 + r * (_C3 + r * (_C4 + r * _C5))))
    exponent = np.int32(float_to_bits(shifted) << _MANTISSA)  # n alone is left of it
    return bits_to_float(np.int32(float_to_bits(p) + exponent))
