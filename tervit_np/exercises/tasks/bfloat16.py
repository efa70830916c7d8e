"""Exercise: round to bfloat16, and split a float32 into two of them."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.bfloat16 import floats_of
from tervit_np.exercises.comparison import not_an_array, not_arrays, wrong_array, wrong_type
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng

TASK = """
A bfloat16 is the upper half of a float32: sign, exponent and 7 of 23 bits of
the mantissa. Read the 32 bits as one integer; then the next integer is the next
float, and rounding a float is rounding an integer. Write two parts:

    bfloat16_bits   x, float32     -> the upper half of the nearest, uint16
    split_bfloat16  x, float32     -> high, low, float32, with x = high + low
                                      except for what low loses

* Round to the nearest bfloat16. In the middle between two take the one whose
  last bit is 0 (ties to even). Negative numbers go as positive ones do.
* In bfloat16_bits, write `rounded`, an integer whose upper half is the result.
  The given lines above it make `bits`; those below keep NaN, set what is
  smaller than 2^-56 to 0, and cut the lower half off.
* high is the bfloat16 nearest to x, and low the one nearest to what high lost.
  floats_of(bits) turns 16 bits into the float32 that they stand for.

The check begins with an example for paper: between 1 and 2 the steps of
bfloat16 are 2/256 wide.
"""

HINTS = (
    "Cutting off the lower half rounds toward 0. What must be added first, so that a lower half "
    "above 0x8000, the middle, carries into the upper one and one below does not? And exactly in "
    "the middle, when the last bit that stays is 0, and when it is 1?",
    "  last    = bit 16 of bits, the last one that stays: 0 or 1\n"
    "  rounded = bits + 0x7FFF + last\n"
    "  high    = bf(x)             low = bf(x - high)",
    "  bfloat16_bits:   last = (bits >> 16) & 1\n"
    "                   rounded = bits + 0x7FFF + last\n"
    "  split_bfloat16:  high = floats_of(bfloat16_bits(x))\n"
    "                   return high, floats_of(bfloat16_bits(x - high))",
)

PLAIN = (
    """
last = (bits >> 16) & 1  # of the bits that stay

# In the middle, 0x8000, the sum carries only if the last bit is 1: to the even one.
rounded = bits + 0x7FFF + last
""",
    """
high = floats_of(bfloat16_bits(x))
low = floats_of(bfloat16_bits(x - high))
return high, low
""",
)

_STAYS = np.uint32(0xFFFF0000)


def check(module: ModuleType) -> Iterator[Finding]:
    """Check rounding on paper, of random numbers, middles and large numbers; then the split."""
    cases = {
        "on paper, x [256.5, 257, 257.5, 259, 511, -259] / 256": (
            np.array([256.5, 257, 257.5, 259, 511, -259]) / 256
        ),
        "random x (4, 50)": _numbers(1).reshape(4, 50),
        "random numbers in the middle between two": _middles(2),
        "large numbers, x [3.3895e38, 3.4e38, inf]": np.array([3.3895e38, 3.4e38, np.inf]),
    }
    for what, x in cases.items():
        x = read_only(x.astype(np.float32))
        yield Finding(f"{what}: bfloat16_bits", _bits_fault(module.bfloat16_bits(x), x))
    splits = {
        "x [1027, 1031, -1031] / 1024": np.array([1027, 1031, -1031]) / 1024,
        "random x (200,)": _numbers(3),
    }
    for what, x in splits.items():
        x = read_only(x.astype(np.float32))
        yield Finding(f"{what}: split_bfloat16", _split_fault(module.split_bfloat16(x), x))


def _numbers(stream: int) -> Array:
    """Return 200 numbers of both signs; near in size, so that a step of one is seen in all."""
    rng = check_rng(stream)
    sign = rng.choice([-1, 1], 200)
    return np.asarray(sign * np.exp2(rng.uniform(-2, 2, 200))).astype(np.float32)


def _middles(stream: int) -> Array:
    bits = _numbers(stream).view(np.uint32) & _STAYS | np.uint32(0x8000)
    return np.asarray(bits).view(np.float32)


def _rounded(x: Array, half: int = 0x7FFF, last: int = 1) -> Array:
    """Add to the bits of x, and cut.  float32 -> float32; `last` counts the last bit that stays."""
    bits = x.view(np.uint32).astype(np.int64)
    bits += half + last * (bits >> 16 & 1)
    return np.asarray((bits & int(_STAYS)).astype(np.uint32)).view(np.float32)


def _bits_fault(result: Any, x: Array) -> str:
    """Compare the numbers that the bits stand for; empty if they are right."""
    true, name = _rounded(x), "the upper half"
    fault = not_an_array(result, name, np.uint16)
    if fault := fault or wrong_type(result, np.uint16, name):
        return fault
    known = {
        "the lower half is cut off, which moves every number toward 0; add half of it first": (
            _rounded(x, 0, 0)
        ),
        "in the middle between two it goes away from 0; to take the even one, add 0x7FFF, and 1 "
        "more where the last bit that stays is 1": _rounded(x, 0x8000, 0),
        "in the middle between two it goes toward 0; add 1 more where the last bit that stays, "
        "bit 16, is 1": _rounded(x, 0x7FFF, 0),
        "in the middle between two it takes the odd one; add 1 more where the last bit that stays "
        "is 1, not 0": _rounded(x, 0x8000, -1),
        "it is rounded away from 0; add less than 0xFFFF: half of the lower half": (
            _rounded(x, 0xFFFF, 0)
        ),
        "these are one step too large: 1 is added to the upper half": _rounded(x, 0x17FFF),
    }
    known = {sentence: wrong for sentence, wrong in known.items() if (wrong != true).any()}
    return wrong_array(floats_of(result), true, "the bfloat16", known)


def _split_fault(result: Any, x: Array) -> str:
    """Compare both parts with the formula; empty if they are right."""
    if fault := not_arrays(result, ("high", "low"), (None, None)):
        return fault
    for name, part in zip(("high", "low"), result, strict=True):
        if part.dtype.kind in "iu":
            return f"{name} is {part.dtype}: these are bits; floats_of makes numbers of them"
    high, low = _rounded(x), _rounded(x - _rounded(x))
    cut = _rounded(x, 0, 0)
    of_high = {
        "x is cut, not rounded: then low is up to twice as large": cut,
        "this is x itself": x,
        "this is low: return high, then low": low,
    }
    of_low = {
        "its sign: what high lost is x - high": -low,
        "it is 0: round what high lost, which is x - high, not x again": np.zeros_like(x),
        "this is high again": high,
        "this is x - high, with up to 16 more bits; round it as well": x - high,
    }
    of_low = {sentence: wrong for sentence, wrong in of_low.items() if (wrong != low).any()}
    return wrong_array(result[0], high, "high", of_high, {"x": x}) or wrong_array(
        result[1], low, "low", of_low, {"x": x}
    )


BFLOAT16 = Exercise(
    name="bfloat16",
    module="bfloat16",
    chapter="21_mixed_precision",
    title="round to 16 bits, split into two",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=PLAIN,
    wrong_answers=(
        WrongAnswer(
            "the lower half is cut off",
            "bits + 0x7FFF + last",
            "bits",
            "the lower half is cut off, which moves every number toward 0",
        ),
        WrongAnswer(
            "half is added, so that middles go up",
            "bits + 0x7FFF + last",
            "bits + 0x8000",
            "in the middle between two it goes away from 0",
        ),
        WrongAnswer(
            "the last bit of the lower half instead of the upper",
            "(bits >> 16) & 1",
            "bits & 1",
            "add 1 more where the last bit that stays, bit 16, is 1",
        ),
        WrongAnswer(
            "the odd neighbour of a middle",
            "0x7FFF + last",
            "0x8000 - last",
            "it takes the odd one",
        ),
        WrongAnswer(
            "what high lost is not rounded",
            "low = floats_of(bfloat16_bits(x - high))",
            "low = x - high",
            "with up to 16 more bits; round it as well",
        ),
        WrongAnswer(
            "the loss has the wrong sign",
            "x - high",
            "high - x",
            "its sign: what high lost is x - high",
        ),
        WrongAnswer(
            "high stays bits",
            "high = floats_of(bfloat16_bits(x))\n        low",
            "high = bfloat16_bits(x)\n        low",
            "these are bits; floats_of makes numbers of them",
        ),
    ),
)
