"""Exercise: five ternary codes in a byte."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import wrong_array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng

TASK = """
Five codes t in {-1, 0, 1} fit into one byte, since 3^5 = 243 < 256. The digits
d = t + 1 are 0, 1 or 2, and

    v = 81 d0 + 27 d1 + 9 d2 + 3 d3 + d4         0 to 242
    b = 256 v / 243, rounded up                  the byte

b / 256 is nearly v / 243 = 0.d0 d1 d2 d3 d4 in base 3. So multiplication by 3
moves a digit before the point, and no division is needed to read the byte:

    d0 = 3 b >> 8,    b = 3 b & 255,    d1 = 3 b >> 8,    ...

Write two parts:

    encode   codes of any shape, int8        -> the bytes, uint8
    decode   data, the bytes, uint8 (n,)     -> codes, int8 (5 n,)

encode pads with code 0 where the number of codes is not a multiple of 5. The
given lines of decode then return the first `count` codes and refuse damaged
files: bytes that hold no codes, and padding that is not 0.
"""

HINTS = (
    "Flatten the codes and write them into a longer array of zeros, whose length is the next "
    "multiple of 5. Add 1, take five in a row of a matrix. Which product with [81, 27, 9, 3, 1] "
    "gives all v at once? In which type do 3 b, v and 256 v fit?",
    "  encode:  v = (five + 1) @ [81, 27, 9, 3, 1]        more than 8 bits\n"
    "           b = -(-256 v // 243)       // rounds down; twice negated, up\n"
    "  decode:  five times:  b = 3 b,  digit = b >> 8,  b = b & 255\n"
    "           code = digit - 1",
    "  encode:  padded = np.zeros(-(-flat.size // 5) * 5, np.int64)\n"
    "           padded[: flat.size] = flat\n"
    "           v = (padded.reshape(-1, 5) + 1) @ np.array([81, 27, 9, 3, 1])\n"
    "           return (-(-256 * v // 243)).astype(np.uint8)\n"
    "  decode:  b = data.astype(np.int64)\n"
    "           codes = np.empty((len(b), 5), np.int8)\n"
    "           for i in range(5):\n"
    "               b = 3 * b\n"
    "               codes[:, i], b = (b >> 8) - 1, b & 255\n"
    "           codes = codes.reshape(-1)",
)

PLAIN = (
    """
flat = codes.reshape(-1)
padded = np.zeros(-(-flat.size // 5) * 5, np.int64)  # rounded up
padded[: flat.size] = flat

v = (padded.reshape(-1, 5) + 1) @ np.array([81, 27, 9, 3, 1])
b = -(-256 * v // 243)  # rounded up

return b.astype(np.uint8)
""",
    """
b = data.astype(np.int64)
codes = np.empty((len(b), 5), np.int8)
for i in range(5):
    b = 3 * b
    codes[:, i] = (b >> 8) - 1  # the digit before the point
    b = b & 255  # what is behind it
codes = codes.reshape(-1)
""",
)

_POWERS = np.array([81, 27, 9, 3, 1])
_PAD = "remember their number and pad with code 0 to a multiple of 5"


def check(module: ModuleType) -> Iterator[Finding]:
    """Check bytes on paper, all bytes, random codes, a number that is not a multiple of five."""
    all_fives = np.stack(np.unravel_index(np.arange(243), (3,) * 5), axis=1) - 1
    random = check_rng(1).integers(-1, 2, (6, 10))
    seven = np.append(check_rng(2).integers(-1, 2, 6), 1)
    cases = {
        "on paper, [0, 0, 0, 0, 1], so v = 122 and 256 v / 243 = 128.5": np.array([0, 0, 0, 0, 1]),
        "[1, 1, 1, 1, 1], so v = 242": np.ones(5, int),
        "all 243 groups of five": all_fives,
        "random codes (6, 10)": random,
        "seven codes": seven,
    }
    for what, codes in cases.items():
        codes = read_only(codes.astype(np.int8))
        yield Finding(f"{what}: encode", _encode_fault(_encoded(module, codes), codes))
    for what, codes in cases.items():
        data = read_only(_bytes(codes, 1))
        result = module.decode(data, codes.size)
        yield Finding(f"{what}: decode", _decode_fault(result, data, codes.reshape(-1)))


def _encoded(module: ModuleType, codes: Array) -> Any:
    try:
        return module.encode(codes)
    except ValueError as error:
        if codes.size % 5:
            error.args = (f"{error}: {codes.size} codes: {_PAD}",)
        raise


def _bytes(codes: Array, shift: int, padding: int = 0) -> Array:
    flat = np.ravel(codes).astype(np.int64)
    flat = np.append(flat, np.full(-flat.size % 5, padding))
    v = (flat.reshape(-1, 5) + shift) @ _POWERS
    return np.asarray(-(-256 * v // 243), np.int64).astype(np.uint8)


def _encode_fault(result: Any, codes: Array) -> str:
    """Compare the bytes with the formula; empty if they are right."""
    true = _bytes(codes, 1)
    count = codes.size // 5 * 5
    v = (np.append(codes, np.zeros(-codes.size % 5, int)).reshape(-1, 5) + 1) @ _POWERS
    unshifted = [(v - 121).astype(np.uint8), (-(-256 * (v - 121) // 243)).astype(np.uint8)]
    digits = np.append(codes, np.zeros(-codes.size % 5, int)).reshape(-1, 5)[:, ::-1]
    known = {
        "the codes are not shifted to 0, 1, 2: -1 in a byte is 255": unshifted[1],
        "the codes are not shifted to 0, 1, 2, and it is not 256 v / 243": unshifted[0],
        "a byte is 0 to 255 and int8 ends at 127: return uint8": true.astype(np.int8),
        "this is v; the byte is 256 v / 243, rounded up": v,
        "256 v / 243 is rounded down; round up, or decode finds smaller digits": 256 * v // 243,
        "it is rounded to the nearest; round up, or decode finds smaller digits": (
            np.rint(256 * v / 243)
        ),
        "the order: the first code has the highest digit, 81 d0": _bytes(digits, 1),
        f"{codes.size} codes, and the last ones are lost: {_PAD}": _bytes(
            codes.reshape(-1)[:count], 1
        ),
        "the padding is digit 0, which is code -1; pad with code 0": _bytes(codes, 1, -1),
    }
    known = {sentence: wrong for sentence, wrong in known.items() if not _same(wrong, true)}
    return wrong_array(result, true, "the bytes", known)


def _decode_fault(result: Any, data: Array, codes: Array) -> str:
    """Compare the decoded codes with those that were encoded; empty if they are right."""
    narrow, digits = data.copy(), []
    for _ in range(5):
        digits.append((3 * narrow) >> 8)
        narrow = 3 * narrow & 255
    wrapped = np.stack(digits, axis=1).reshape(-1)[: codes.size].astype(np.int64)
    five = np.append(codes, np.zeros(-codes.size % 5, int)).reshape(-1, 5)
    known = {
        "these are the digits 0, 1, 2; the codes are one less": codes + 1,
        "3 b does not fit into uint8, the type of the data: use a wider integer": wrapped - 1,
        "the order: the first digit that appears is the first code": (
            five[:, ::-1].reshape(-1)[: codes.size]
        ),
        "all first codes come first; put the five of a byte side by side": (
            five.T.reshape(-1)[: codes.size]
        ),
    }
    known = {sentence: wrong for sentence, wrong in known.items() if not _same(wrong, codes)}
    return wrong_array(result, codes.astype(np.int8), "the codes", known, {"data": data})


def _same(array: Array, other: Array) -> bool:
    return array.dtype == other.dtype and np.array_equal(array, other)


PACK = Exercise(
    name="pack",
    module="deploy.base3",
    chapter="17_packing",
    title="five ternary codes in a byte",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=PLAIN,
    wrong_answers=(
        WrongAnswer(
            "the codes are not shifted",
            "padded.reshape(-1, 5) + 1",
            "padded.reshape(-1, 5)",
            "the codes are not shifted to 0, 1, 2: -1 in a byte is 255",
        ),
        WrongAnswer(
            "the bytes are signed",
            "b.astype(np.uint8)",
            "b.astype(np.int8)",
            "a byte is 0 to 255 and int8 ends at 127",
        ),
        WrongAnswer(
            "the number of codes must be a multiple of five",
            "np.zeros(-(-flat.size // 5) * 5, np.int64)  # rounded up",
            "np.zeros(flat.size, np.int64)",
            "7 codes: remember their number and pad with code 0",
        ),
        WrongAnswer(
            "rounded down",
            "-(-256 * v // 243)",
            "256 * v // 243",
            "256 v / 243 is rounded down",
        ),
        WrongAnswer(
            "decoding in the type of the bytes",
            "data.astype(np.int64)",
            "data",
            "3 b does not fit into uint8",
        ),
    ),
)
