"""Ternary codes five to a byte: 1.6 bits a weight, in files.

    v = 81 d0 + 27 d1 + 9 d2 + 3 d3 + d4      d = t + 1 in {0, 1, 2}, v = 0..242

The byte is not v but ceil(256 v / 243): a fraction of one, rounded up. Its digits then come out by
multiplication alone, each the whole part of 3 times what is left:

    d0 = (3 b) >> 8,  b = (3 b) & 255,  d1 = (3 b) >> 8, ...

13 of the 256 bytes are never written, and a reader refuses them.
"""

import numpy as np

from tervit_np.arrays import Array

CODES_PER_BYTE = 5  # codes of a byte


def _digits() -> Array:
    """Decode every byte.  -> int8 (256, 5) codes."""
    rest = np.arange(256)
    digits = np.empty((256, CODES_PER_BYTE), np.int8)
    for i in range(CODES_PER_BYTE):
        digits[:, i] = (3 * rest >> 8) - 1
        rest = 3 * rest & 255
    return digits


_CODES = _digits()
_BYTES = np.array([-(-256 * v // 243) for v in range(243)], np.uint8)
_WRITTEN = np.isin(np.arange(256), _BYTES)
_POWERS = np.array([81, 27, 9, 3, 1])


def encode(codes: Array) -> Array:
    """Pack ternary codes of any shape, flattened; zeros fill the last byte.  -> uint8 (n,)."""
    flat = np.ravel(codes)
    padded = np.zeros(-(-flat.size // CODES_PER_BYTE) * CODES_PER_BYTE, np.int64)
    padded[: flat.size] = flat
    packed: Array = _BYTES[(padded.reshape(-1, CODES_PER_BYTE) + 1) @ _POWERS]
    return packed


def decode(data: Array, count: int) -> Array:
    """Unpack `count` codes.  uint8 (n,) -> int8 (count,).

    Raises
    ------
    ValueError
        If the bytes are too few or too many, one of them is never written, or the rest of the last
        one is not zero.
    """
    if data.dtype != np.uint8 or data.shape != (-(-count // CODES_PER_BYTE),):
        raise ValueError(f"{data.dtype} {data.shape} is not {count} ternary codes, five to a byte")
    if not _WRITTEN[data].all():
        wrong = int(data[~_WRITTEN[data]][0])
        raise ValueError(f"byte {wrong} stands for no five ternary codes: the file is damaged")
    codes = _CODES[data].reshape(-1)
    if codes[count:].any():
        raise ValueError("the last byte holds codes beyond the last weight: the file is damaged")
    return codes[:count]
