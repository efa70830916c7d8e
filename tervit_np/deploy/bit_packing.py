"""Packed integer codes: b bits for a code of b bits, 2 to 7, without gaps in packed files.

    u_i = q_i mod 2^b                            two's complement: 1111 is -1 in four bits
    v   = u_0 + u_1 2^b + u_2 2^2b + ... + u_7 2^7b

Eight codes make one number v of b bytes, stored from its lowest byte on. With four bits this is two
codes to a byte, the first one in the low half, as in ONNX's INT4; with two bits, four to a byte.

A symmetric grid has codes from -Q to Q, Q = 2^(b-1) - 1, so the code -Q - 1 does not occur, and
`decode` refuses it. The kernels multiply bytes: packed weights become bytes when a file is loaded.
"""

import numpy as np

from tervit_np.arrays import Array

_GROUP = 8  # codes in a word of at most 56 bits


def packed_size(count: int, bits: int) -> int:
    """Return the bytes of `count` codes."""
    return -(-count * bits // 8)


def encode(codes: Array, bits: int) -> Array:
    """Pack codes of any shape, flattened.  int8 -> uint8 (n,)."""
    flat = np.ravel(codes)
    groups = np.zeros((-(-flat.size // _GROUP), _GROUP), np.int8)
    groups.reshape(-1)[: flat.size] = flat
    words = np.zeros(len(groups), "<u8")
    for i in range(_GROUP):
        words |= (groups[:, i].view(np.uint8) & _mask(bits)).astype("<u8") << np.uint64(bits * i)
    data: Array = words.view(np.uint8).reshape(-1, 8)[:, :bits]
    return data.reshape(-1)[: packed_size(flat.size, bits)]


def decode(data: Array, count: int, bits: int) -> Array:
    """Unpack `count` codes.  uint8 (n,) -> int8 (count,).

    Raises
    ------
    ValueError
        If there are too few or too many bytes, a code is one that no symmetric grid has, or bits
        beyond the last code are not zero.
    """
    if data.dtype != np.uint8 or data.shape != (packed_size(count, bits),):
        raise ValueError(f"{data.dtype} {data.shape} is not {count} codes of {bits} bits")
    groups = -(-count // _GROUP)
    padded = np.zeros(groups * bits, np.uint8)
    padded[: len(data)] = data
    word_bytes = np.zeros((groups, 8), np.uint8)
    word_bytes[:, :bits] = padded.reshape(groups, bits)
    words = word_bytes.view("<u8")[:, 0]
    codes, half = np.empty((groups, _GROUP), np.int8), 1 << (bits - 1)
    for i in range(_GROUP):
        unsigned = (words >> np.uint64(bits * i)).astype(np.uint8) & _mask(bits)
        codes[:, i] = (unsigned ^ np.uint8(half)).view(np.int8) - np.int8(half)
    flat = codes.reshape(-1)
    if flat[count:].any():
        raise ValueError("the last byte holds codes beyond the last weight: the file is damaged")
    check_range(flat, bits)
    return flat[:count]


def check_range(codes: Array, bits: int) -> None:
    """Raise ValueError if a code is not from -Q to Q, Q = 2^(b-1) - 1."""
    q_max = (1 << (bits - 1)) - 1
    lowest, highest = int(codes.min()), int(codes.max())
    if lowest < -q_max or highest > q_max:
        code = lowest if lowest < -q_max else highest
        raise ValueError(
            f"found the code {code}, but codes of {bits} bits go from {-q_max} to {q_max}: the "
            "file is damaged"
        )


def _mask(bits: int) -> np.uint8:
    return np.uint8((1 << bits) - 1)
