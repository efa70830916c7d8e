"""The pickles inside PyTorch's files, read by a reader that allows tensors and nothing else.

The names of the few functions that rebuild a tensor, and of OrderedDict, stand for functions of
ours. Any other name raises an error or, in lenient mode, stands for an object that stores nothing
and does nothing.
"""

import math
from collections.abc import Callable
from mmap import mmap
from typing import Any, NamedTuple

import numpy as np

from data_tools.pickle_values import Function, PickleError, Skipped, shown
from data_tools.pickles import PickleReader
from tervit_np.arrays import Array
from tervit_np.bfloat16 import floats_of

STORAGES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": "<u2",
    "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "|i1",
    "ByteStorage": "|u1", "BoolStorage": "|b1",
}  # fmt: skip


class Storage(NamedTuple):
    """The memory of one or more tensors: its kind, its key in the file, its length."""

    kind: str
    key: str
    length: int  # in elements

    @property
    def dtype(self) -> "np.dtype[Any]":
        """Type of an element; bfloat16 as its 16 bits."""
        return np.dtype(STORAGES[self.kind])


class Tensor(NamedTuple):
    """A view of a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements

    @property
    def nbytes(self) -> int:
        """Size of the array in bytes."""
        factor = 2 if self.storage.kind == "BFloat16Storage" else 1
        return math.prod(self.shape) * self.storage.dtype.itemsize * factor

    def of(self, data: Array) -> Array:
        """Copy the tensor from its storage's data.  -> a new array; bfloat16 becomes float32."""
        itemsize = self.storage.dtype.itemsize
        strides = tuple(s * itemsize for s in self.strides)
        view = np.lib.stride_tricks.as_strided(data[self.offset :], self.shape, strides)
        if self.storage.kind == "BFloat16Storage":
            return floats_of(view)
        return view.astype(view.dtype.newbyteorder("="))


class _TensorDict(dict[Any, Any]):
    """An OrderedDict, without the attributes that PyTorch adds to a state dict."""

    def set_state(self, state: Any) -> None:
        """Ignore the attributes."""


class PlainReader(PickleReader):
    """Loads numbers, texts, lists and dictionaries."""

    encoding = "utf-8"


class TensorReader(PlainReader):
    """Loads dictionaries of tensors; `lenient` skips other objects."""

    def __init__(self, content: bytes | mmap, position: int, lenient: bool) -> None:
        super().__init__(content, position)
        self._lenient = lenient
        self.storages: dict[str, Storage] = {}

    def find(self, module: str, name: str) -> Function | Skipped | str:
        """Return what the name stands for.

        Raises
        ------
        PickleError
            If it is not part of a tensor.
        """
        if (module, name) in _KNOWN:
            return Function(_KNOWN[module, name])
        if (module, name) == ("collections", "OrderedDict"):
            return Function(self._ordered_dict)
        if module in ("torch", "torch.storage") and name in STORAGES:
            return name
        if self._lenient:
            return Skipped()
        raise PickleError(
            f"it names {shown(module, name)}, which is not part of a tensor (training state? "
            "lenient=True skips it without running it)"
        )

    def bad_key(self, key: Any) -> None:
        """Refuse a pair with another key; lenient mode leaves it out."""
        if not self._lenient:
            super().bad_key(key)

    def persistent(self, identity: Any) -> Storage:
        """Describe a storage; its data are elsewhere in the file."""
        pid = identity
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            raise PickleError("it refers to an object that is not a storage")
        kind, key, count = pid[1], pid[2], pid[4]
        is_known = isinstance(kind, str) and kind in STORAGES
        if not is_known or not isinstance(key, str) or not _is_size(count):
            raise PickleError("it describes a storage whose kind, key or length is invalid")
        described = Storage(kind, key, count)
        storage = self.storages.setdefault(key, described)
        if storage != described:
            raise PickleError(f"it describes the storage {shown(key)} twice and differently")
        return storage

    def _ordered_dict(self, pairs: Any = ()) -> _TensorDict:
        """Return an OrderedDict; Python 2 gave it a list of pairs."""
        new = _TensorDict()
        if not isinstance(pairs, list | tuple):
            raise PickleError("a dictionary is not made of pairs")
        for pair in pairs:
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise PickleError("a dictionary is not made of pairs")
            self.set_items(new, list(pair))
        return new


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> Tensor:
    """Describe a tensor; check that it is inside its storage."""
    numbers = [offset, *_tuple(shape), *_tuple(strides)]
    if not isinstance(storage, Storage) or not all(map(_is_size, numbers)):
        raise PickleError("a tensor's storage, offset, shape or strides are damaged")
    if len(shape) != len(strides) or len(shape) > 32:
        raise PickleError(f"a tensor has {len(shape)} axes and {len(strides)} strides")
    count = math.prod(shape)
    if count >= 2**48:
        raise PickleError("a tensor's shape is damaged")
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if count else 0
    if offset > storage.length or last >= max(storage.length, 1):
        raise PickleError(f"a tensor {tuple(shape)} is outside its storage of {storage.length}")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(data: Any, *rest: Any) -> Any:
    return data


def _size(numbers: Any = ()) -> tuple[Any, ...]:
    return _tuple(numbers)


def _tuple(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list):
        raise PickleError("a tensor's shape or strides are damaged")
    return tuple(value)


def _is_size(number: Any) -> bool:
    return type(number) is int and 0 <= number < 2**48


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "Size"): _size,
}
