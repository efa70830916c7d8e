"""Arrays that begin at a cache line.

NumPy aligns arrays to 16 bytes. Unless an array begins at a multiple of 64, every load of a 64-byte
vector touches two cache lines and costs twice as much.
"""

import numpy as np
import numpy.typing as npt

from tervit_np.arrays import Array
from tervit_np.compiled.jit import kernel

_LINE = 64


@kernel(boundscheck=False)
def zero_bytes(count: int) -> Array:
    """Return zeros, uint8 (count,), that begin at a cache line."""
    raw = np.zeros(count + _LINE, np.uint8)
    start = -raw.ctypes.data % _LINE
    return raw[start : start + count]


@kernel(boundscheck=False)
def empty_bytes(count: int) -> Array:
    """Return uint8 (count,), uninitialised, that begins at a cache line."""
    raw = np.empty(count + _LINE, np.uint8)
    start = -raw.ctypes.data % _LINE
    return raw[start : start + count]


def zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """Return zeros that begin at a cache line."""
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    array: Array = zero_bytes(count).view(dtype).reshape(shape)
    return array


def empty(shape: tuple[int, ...]) -> Array:
    """Return an uninitialised float32 array that begins at a cache line."""
    count = int(np.prod(shape))
    raw = np.empty(count + _LINE // 4, np.float32)
    first = -raw.ctypes.data % _LINE // 4
    return raw[first : first + count].reshape(shape)


@kernel(boundscheck=False)
def empty_matrix(rows: int, columns: int) -> Array:
    """Return an uninitialised float32 (rows, columns) that begins at a cache line."""
    raw = np.empty(rows * columns + _LINE // 4, np.float32)
    first = -raw.ctypes.data % _LINE // 4
    return raw[first : first + rows * columns].reshape((rows, columns))
