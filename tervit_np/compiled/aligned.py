"""Memory that begins where a vector register may be loaded without touching two lines of the cache.

NumPy's arrays begin at multiples of 16 bytes. In one that does not begin at a multiple of 64, every
load of 64 bytes crosses from one line into the next, and counts twice.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from tervit_np.arrays import Array
from tervit_np.compiled.jit import kernel

_LINE = 64


@kernel(boundscheck=False)
def zero_bytes(count: int) -> Any:
    """Return zeros, uint8 (count,), that begin at a whole line."""
    raw = np.zeros(count + _LINE, np.uint8)
    first = -raw.ctypes.data % _LINE
    return raw[first : first + count]


def zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """Return zeros of any shape and type that begin at a whole line."""
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    array: Array = zero_bytes(count).view(dtype).reshape(shape)
    return array
