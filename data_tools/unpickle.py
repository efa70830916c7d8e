"""Read CIFAR's python form, a pickle, without executing code from it.

A pickle is a small program that can call any function it names. This reader allows four names, all
of them part of how NumPy pickles an array, and raises DataError for any other.
"""

import io
import pickle
from typing import Any

import numpy as np

from data_tools.imageset import DataError

_ARRAY_PARTS = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return _reconstruct
        if (module, name) in _ARRAY_PARTS:
            return _ARRAY_PARTS[module, name]
        if (module, name) == ("_codecs", "encode"):
            return _encode
        raise DataError(f"it names {module}.{name}, which no CIFAR file needs")


def _reconstruct(kind: Any, shape: Any, typecode: Any) -> Any:
    """Return the empty array that NumPy's pickles then fill."""
    if kind is not np.ndarray or shape != (0,):
        raise DataError("it builds something other than a plain array")
    return np.ndarray((0,), np.int8)


def _encode(text: str, encoding: str) -> bytes:
    """Encode text as bytes, for pickles of Python 2 strings."""
    if encoding != "latin1":
        raise DataError(f"it uses the encoding {encoding!r}, expected latin1")
    return text.encode("latin1")


def unpickle(content: bytes, source: str) -> dict[bytes, Any]:
    """Read a pickled dictionary of arrays, lists and strings.

    Raises
    ------
    DataError
        If it is damaged, names anything but arrays, or is not a dictionary.
    """
    try:
        value = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    except DataError as error:
        raise DataError(f"{source}: unsafe pickle: {error}") from None
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(f"{source}: not a readable pickle, perhaps incomplete ({error})") from None
    if not isinstance(value, dict):
        raise DataError(f"{source}: expected a dictionary, found {type(value).__name__}")
    return value
