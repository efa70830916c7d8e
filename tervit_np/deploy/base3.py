"""Base-3 encoding of ternary codes, five to a byte: 1.6 bits a weight in packed files.

    v = 81 d0 + 27 d1 + 9 d2 + 3 d3 + d4      d = t + 1 in {0, 1, 2}, v = 0..242
    b = ceil(256 v / 243)

The byte b is the fraction v / 243 in units of 1/256, rounded up. Multiplication alone decodes it:
the integer part of 3 b / 256 is the first digit, and the fractional part holds the other ones:

    d0 = (3 b) >> 8,  b = (3 b) & 255,  d1 = (3 b) >> 8, ...

13 of the 256 bytes encode no v, and `decode` refuses them.
"""

import numpy as np

from tervit_np.arrays import Array

CODES_PER_BYTE = 5


def _decode_all_bytes() -> Array:
    """Decode 0, 1, ..., 255.  -> int8 (256, 5) codes."""
    fraction = np.arange(256)
    codes = np.empty((256, CODES_PER_BYTE), np.int8)
    for i in range(CODES_PER_BYTE):
        codes[:, i] = (3 * fraction >> 8) - 1
        fraction = 3 * fraction & 255
    return codes


_CODES_OF_BYTE = _decode_all_bytes()
_BYTE_OF_VALUE = np.array([-(-256 * v // 243) for v in range(243)], np.uint8)
_IS_VALID = np.isin(np.arange(256), _BYTE_OF_VALUE)
_POWERS = np.array([81, 27, 9, 3, 1])


def encode(codes: Array) -> Array:
    """Encode ternary codes of any shape, flattened and padded with zeros.  int8 -> uint8 (n,)."""
    # exercise pack: the bytes, uint8, of codes of any shape and number
    flat = np.ravel(codes)
    padded = np.zeros(-(-flat.size // CODES_PER_BYTE) * CODES_PER_BYTE, np.int64)
    padded[: flat.size] = flat
    data: Array = _BYTE_OF_VALUE[(padded.reshape(-1, CODES_PER_BYTE) + 1) @ _POWERS]
    return data


def decode(data: Array, count: int) -> Array:
    """Decode `count` codes.  uint8 (n,) -> int8 (count,).

    Raises
    ------
    ValueError
        If there are too few or too many bytes, one of them encodes no codes, or the padding of the
        last one is not zero.
    """
    if data.dtype != np.uint8 or data.shape != (-(-count // CODES_PER_BYTE),):
        raise ValueError(f"{data.dtype} {data.shape} is not {count} ternary codes, five to a byte")
    if not _IS_VALID[data].all():
        invalid = int(data[~_IS_VALID[data]][0])
        raise ValueError(f"byte {invalid} encodes no five ternary codes: the file is damaged")
    # exercise pack: codes, int8, five of each byte
    codes = _CODES_OF_BYTE[data].reshape(-1)
    # end of exercise
    if codes[count:].any():
        raise ValueError("the last byte holds codes beyond the last weight: the file is damaged")
    return codes[:count]
