"""The pickles inside PyTorch's files, read by an unpickler that allows tensors and nothing else.

A pickle is a program that calls functions by name. This unpickler allows the few functions that
rebuild a tensor, which it replaces by ours, and OrderedDict. Any other name raises an error or, in
lenient mode, is replaced by an inert object that stores nothing and does nothing.
"""

import math
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable
from mmap import mmap
from typing import IO, Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array

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
            wide = view.astype(np.uint32)
            wide <<= 16
            return wide.view(np.float32)
        return view.astype(view.dtype.newbyteorder("="))


class Inert:
    """Replaces an object that lenient mode skips: accepts all calls and stores nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __call__(self, *args: Any, **kwargs: Any) -> "Inert":
        """Do nothing."""
        return self

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def __hash__(self) -> int:
        return 0

    def append(self, value: Any) -> None:
        """Do nothing."""

    def extend(self, values: Any) -> None:
        """Do nothing."""


class _TensorDict(OrderedDict[Any, Any]):
    """A state dict without the attributes that PyTorch adds to one."""

    def __setstate__(self, state: Any) -> None: ...


class PlainUnpickler(pickle.Unpickler):
    """Loads numbers, texts, lists and dictionaries."""

    def __init__(self, file: IO[bytes] | mmap) -> None:
        _check_memo(file)
        super().__init__(file, encoding="utf-8")

    def find_class(self, module: str, name: str) -> Any:
        """Raise ValueError: plain values name no functions."""
        raise ValueError(f"it names {module}.{name} where only plain values are allowed")


def _check_memo(file: Any) -> None:
    """Raise ValueError if a memo number is too large; the unpickler would allocate as many."""
    start = file.tell()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument not in range(count + 1):
            raise ValueError(f"its instruction {count} stores an object as memo {argument}")
    file.seek(start)


class TensorUnpickler(PlainUnpickler):
    """Loads dictionaries of tensors; `lenient` skips other objects."""

    def __init__(self, file: IO[bytes] | mmap, lenient: bool) -> None:
        super().__init__(file)
        self._lenient = lenient
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return what the name stands for.

        Raises
        ------
        ValueError
            If it is not part of a tensor.
        """
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if module in ("torch", "torch.storage") and name in STORAGES:
            return name
        if self._lenient:
            return Inert
        raise ValueError(
            f"it names {module}.{name}, which is not part of a tensor (training state? "
            "lenient=True skips it without running it)"
        )

    def persistent_load(self, pid: Any) -> Storage:
        """Describe a storage; its data are elsewhere in the file."""
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            raise ValueError("it refers to an object that is not a storage")
        kind, key, count = pid[1], pid[2], pid[4]
        if kind not in STORAGES or not isinstance(key, str) or not _is_size(count):
            raise ValueError("it describes a storage whose kind, key or length is invalid")
        described = Storage(kind, key, count)
        storage = self.storages.setdefault(key, described)
        if storage != described:
            raise ValueError(f"it describes the storage {key} twice and differently")
        return storage


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> Tensor:
    """Describe a tensor; check that it is inside its storage."""
    numbers = [offset, *_tuple(shape), *_tuple(strides)]
    if not isinstance(storage, Storage) or not all(map(_is_size, numbers)):
        raise ValueError("a tensor's storage, offset, shape or strides are damaged")
    if len(shape) != len(strides) or len(shape) > 32:
        raise ValueError(f"a tensor has {len(shape)} axes and {len(strides)} strides")
    count = math.prod(shape)
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if count else 0
    if offset > storage.length or last >= max(storage.length, 1):
        raise ValueError(f"a tensor {tuple(shape)} is outside its storage of {storage.length}")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(data: Any, *rest: Any) -> Any:
    return data


def _tuple(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list):
        raise ValueError("a tensor's shape or strides are damaged")
    return tuple(value)


def _is_size(number: Any) -> bool:
    return type(number) is int and 0 <= number < 2**48


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _TensorDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "Size"): tuple,
}
