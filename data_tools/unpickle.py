"""Read CIFAR's python form: a pickled dictionary of lists, strings and one array of bytes.

The names of NumPy in these files stand for functions here, which make a uint8 array from bytes of
the right length and nothing else.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from data_tools.imageset import Array, DataError
from data_tools.pickle_values import Function, LongText, PickleError, Skipped, shown
from data_tools.pickles import PickleReader

_MAX_AXES = 4
_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric",
            "numpy._core.numeric")  # fmt: skip


def unpickle(content: bytes, source: str) -> dict[str, Any]:
    """Read a pickled dictionary; names of Python 2, which are bytes, become texts.

    Raises
    ------
    DataError
        If it is damaged, holds anything but arrays of bytes, lists, texts and numbers, or is not a
        dictionary.
    """
    try:
        value = _Reader(content).load()
    except PickleError as error:
        raise DataError(f"{source}: not a readable pickle of plain data: {error}") from None
    if not isinstance(value, dict):
        raise DataError(f"{source}: expected a dictionary, found {type(value).__name__}")
    items = {_as_text(key): _as_array(item) for key, item in value.items()}
    return {key: item for key, item in items.items() if key is not None}


def _as_text(key: Any) -> str | None:
    if isinstance(key, bytes):
        return key.decode("latin-1")
    return key if isinstance(key, str) else None


def _as_array(value: Any) -> Any:
    return value.array if isinstance(value, _Pixels) else value


class _UInt8:
    """The only type of arrays that is read."""

    def set_state(self, state: Any) -> None:
        """Accept what NumPy writes for a type without fields and byte order."""
        if not isinstance(state, tuple) or len(state) not in (8, 9) or state[1] not in ("|", b"|"):
            raise PickleError("the type of an array is damaged")


class _Pixels:
    """An array that gets its shape and bytes from the state in the file."""

    array: Array

    def __init__(self) -> None:
        self.array = np.empty(0, np.uint8)

    def set_state(self, state: Any) -> None:
        """Fill the array as NumPy's `__setstate__` does."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise PickleError("the state of an array is damaged")
        _, shape, dtype, columns_first, raw = state
        self.fill(shape, dtype, "F" if columns_first is True else "C", raw)

    def fill(self, shape: Any, dtype: Any, order: Any, raw: Any) -> None:
        """Take bytes of the right number; they are not copied."""
        if not isinstance(dtype, _UInt8):
            raise PickleError("it holds an array of another type than uint8")
        if (
            not _is_shape(shape)
            or not isinstance(raw, bytes | bytearray)
            or order not in ("C", "F")
        ):
            raise PickleError("the shape or the bytes of an array are damaged")
        if prod(shape) != len(raw):
            raise PickleError(f"an array of shape {shape} has {len(raw)} bytes")
        flat = np.frombuffer(raw, np.uint8)
        self.array = flat.reshape(shape, order="F" if order == "F" else "C")


def _is_shape(shape: Any) -> bool:
    is_small = isinstance(shape, tuple) and len(shape) <= _MAX_AXES
    return is_small and all(type(n) is int and 0 <= n < 2**40 for n in shape)


class _Reader(PickleReader):
    def find(self, module: str, name: str) -> Function | Skipped | str:
        """Return our function for a name of NumPy or of a byte string."""
        functions: dict[str, Callable[..., Any]] = {
            "_reconstruct": self._reconstruct,
            "_frombuffer": self._from_buffer,
            "dtype": self._dtype,
        }
        if (module, name) == ("numpy", "ndarray"):
            return "ndarray"
        if module in _MODULES and name in functions:
            return Function(functions[name])
        if (module, name) == ("_codecs", "encode"):
            return Function(self._encode)
        if (module, name) in (("__builtin__", "bytes"), ("builtins", "bytes")):
            return Function(lambda: b"")
        raise PickleError(f"it names {shown(module, name)}, which no CIFAR file needs")

    def _reconstruct(self, kind: Any, shape: Any, typecode: Any) -> _Pixels:
        """Return the empty array that the state in the file then fills."""
        if kind != "ndarray" or not _is_shape(shape) or prod(shape):
            raise PickleError("it builds something other than a plain array")
        return _Pixels()

    def _from_buffer(self, raw: Any, dtype: Any, shape: Any, order: Any) -> _Pixels:
        """Return an array as pickles of protocol 5 describe it."""
        pixels = _Pixels()
        pixels.fill(shape, dtype, order, raw)
        return pixels

    def _dtype(self, name: Any, align: Any = False, copy: Any = False) -> _UInt8:
        if not isinstance(name, str | bytes) or name not in ("u1", b"u1", "|u1", b"|u1"):
            raise PickleError("it holds an array of another type than uint8")
        return _UInt8()

    def _encode(self, text: str | LongText, encoding: str) -> bytes | bytearray:
        """Encode text as bytes, for pickles of byte strings in protocols 0 to 2."""
        if encoding != "latin1":
            raise PickleError("it uses another encoding than latin1")
        return self.latin1(text)
