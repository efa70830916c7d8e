"""exp in float32, written so that the compiler vectorizes it.

The C library's exp would be a scalar call. Here

    exp(x) = 2^n exp(r),   n = round(x / ln 2),   r = x - n ln 2 in [-0.35, 0.35]

with a polynomial for exp(r), times 2^n, which is exact: a number whose exponent bits are n + 127.
Adding n to the exponent bits of exp(r) would make numbers of some NaN.
"""

import math

import numpy as np
from numba import types

from tervit_np.compiled.arithmetic import fma
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.simd import (
    F32,
    I32,
    Builder,
    Context,
    Intrinsic,
    Signature,
    TypingContext,
    Value,
    Values,
    intrinsic,
)

F = np.float32
ONE = F(1)
_LOG2E = F(1 / math.log(2))
_LN2_HIGH = F(0.693359375)  # few bits, so that n * _LN2_HIGH is exact
_LN2_LOW = F(math.log(2) - 0.693359375)
# For |x| < 2^22 the low bits of x + ROUND hold the nearest integer, and x + ROUND - ROUND is that
# integer as a float; halves are rounded to even, as np.rint does.
ROUND = F(1.5 * 2**23)
_SHIFT = F(ROUND + 127)  # leaves n + 127
LOWEST, _HIGHEST = F(-87.0), F(88.0)
_MANTISSA = np.int32(23)  # bits below the exponent


# (exp(r) - 1 - r) / r^2, fitted at Chebyshev points of [-ln(2) / 2, ln(2) / 2]. They are numbers,
# not a fit on import, because its last bits would depend on the machine.
_C2, _C3, _C4, _C5 = F(0.49999121), F(0.16666517), F(0.041900784), F(0.0083691515)


@intrinsic
def bits_to_float(typing: TypingContext, bits: types.Integer) -> Intrinsic:
    """Reinterpret the bits of an int32 as a float32."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        return builder.bitcast(args[0], F32)

    return types.float32(types.int32), codegen


@intrinsic
def float_to_bits(typing: TypingContext, value: types.Float) -> Intrinsic:
    """Reinterpret the bits of a float32 as an int32."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        return builder.bitcast(args[0], I32)

    return types.int32(types.float32), codegen


@kernel()
def exp32(x: np.float32) -> np.float32:
    """exp(x) to 2 units in the last place; exp(-87) = 1e-38 for x below -87.  NaN -> NaN."""
    x = LOWEST if x < LOWEST else x  # false for NaN, which stays
    x = _HIGHEST if x > _HIGHEST else x
    return exp32_within(x)


@kernel()
def exp32_within(x: np.float32) -> np.float32:
    """exp(x) where x is known to be between -87 and 88.  NaN -> NaN."""
    shifted = fma(x, _LOG2E, _SHIFT)
    n = shifted - _SHIFT
    r = fma(-n, _LN2_LOW, fma(-n, _LN2_HIGH, x))
    p = fma(r, fma(r, fma(r, fma(r, fma(r, _C5, _C4), _C3), _C2), ONE), ONE)
    power = bits_to_float(np.int32(float_to_bits(shifted) << _MANTISSA))  # only n + 127 remains
    return p * power
