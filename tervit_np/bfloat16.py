"""bfloat16 in NumPy, which has no such type: the upper half of a float32.

    float32   1 bit sign, 8 bits exponent, 23 bits mantissa
    bfloat16  1 bit sign, 8 bits exponent,  7 bits mantissa

The same exponents as float32, and 8 significant bits (one is implied): rounding changes a number by
at most 1 part in 256, half a unit of the last place. Two bfloat16 numbers, the second for what the
first has lost, keep 16 bits.

Numbers below 2^-56 become zero here. The others, with 8 digits, are multiples of 2^-63. Then every
product and sum is a multiple of 2^-126, the smallest normal float32, and no sum is a denormal
number, which units for bfloat16 set to zero and other instructions do not: all give the same bits.
"""

import numpy as np

from tervit_np.arrays import Array

SMALLEST = np.float32(2.0**-56)
_INFINITY = 0x7F800000


def bfloat16_bits(x: Array) -> Array:
    """Round to nearest, ties to even.  float32 -> uint16 of the same shape; NaN stays NaN."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    # exercise bfloat16: rounded (uint32), whose upper half is the nearest bfloat16 of x
    last = bits >> np.uint32(16) & np.uint32(1)
    rounded = bits + (np.uint32(0x7FFF) + last)  # carries into the upper half, or does not
    # end of exercise
    magnitude = bits & np.uint32(0x7FFFFFFF)
    rounded = np.where(magnitude > _INFINITY, np.uint32(0x7FC00000), rounded)
    rounded = np.where(magnitude < SMALLEST.view(np.uint32), np.uint32(0), rounded)
    result: Array = (rounded >> np.uint32(16)).astype(np.uint16).reshape(np.shape(x))
    return result


def floats_of(bits: Array) -> Array:
    """Return bfloat16 numbers as float32, exactly.  uint16 -> float32 of the same shape."""
    wide = bits.astype(np.uint32)
    wide <<= np.uint32(16)  # in place: weights of a whole model pass here
    floats: Array = wide.view(np.float32)
    return floats


def round_bfloat16(x: Array) -> Array:
    """Return the nearest bfloat16 of each number, as float32."""
    return floats_of(bfloat16_bits(x))


def split_bfloat16(x: Array) -> tuple[Array, Array]:
    """Return x as a sum of two bfloat16 numbers, high and low, to 2^-16 of x."""
    with np.errstate(invalid="ignore"):  # infinity - infinity
        # exercise bfloat16: high and low, with the two functions above
        high = floats_of(bfloat16_bits(x))
        return high, floats_of(bfloat16_bits(x - high))
