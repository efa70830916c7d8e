"""The pickles inside PyTorch's files, read by an unpickler that admits tensors and nothing else.

A pickle is a program that calls what it names. This one may name the few functions that rebuild a
tensor, which are replaced by our own, and an OrderedDict. Whatever else a file asks for is refused
by name, or in lenient mode replaced by an inert stand-in that keeps nothing and does nothing.
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
    """Memory that tensors look into: its kind, its key in the file, its length."""

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
        """Bytes of the array that it becomes."""
        wider = 2 if self.storage.kind == "BFloat16Storage" else 1
        return math.prod(self.shape) * self.storage.dtype.itemsize * wider

    def of(self, data: Array) -> Array:
        """Take the tensor out of its storage's data.  -> a new array; bfloat16 becomes float32."""
        itemsize = self.storage.dtype.itemsize
        strides = tuple(s * itemsize for s in self.strides)
        view = np.lib.stride_tricks.as_strided(data[self.offset :], self.shape, strides)
        if self.storage.kind == "BFloat16Storage":
            wide = view.astype(np.uint32)
            wide <<= 16
            return wide.view(np.float32)
        return view.astype(view.dtype.newbyteorder("="))


class Inert:
    """Stands for an object that was refused in lenient mode: takes everything, keeps nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __call__(self, *args: Any, **kwargs: Any) -> "Inert":
        """Do nothing."""
        return self

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def __hash__(self) -> int:
        return 0

    def append(self, value: Any) -> None:
        """Keep nothing."""

    def extend(self, values: Any) -> None:
        """Keep nothing."""


class _TensorDict(OrderedDict[Any, Any]):
    """A state dict; the attributes that PyTorch hangs on one are dropped."""

    def __setstate__(self, state: Any) -> None: ...


class PlainUnpickler(pickle.Unpickler):
    """Loads numbers, texts, lists and dictionaries."""

    def __init__(self, file: IO[bytes] | mmap) -> None:
        _check_memo(file)
        super().__init__(file, encoding="utf-8")

    def find_class(self, module: str, name: str) -> Any:
        """Refuse everything."""
        raise ValueError(f"it asks for {module}.{name} where only plain values belong")


def _check_memo(file: Any) -> None:
    """Refuse numbers of remembered objects beyond the count: memory for all would be taken."""
    start = file.tell()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument not in range(count + 1):
            raise ValueError(f"its instruction {count} remembers an object as number {argument}")
    file.seek(start)


class TensorUnpickler(PlainUnpickler):
    """Loads dictionaries of tensors; `lenient` skips what else lies beside them."""

    def __init__(self, file: IO[bytes] | mmap, lenient: bool) -> None:
        super().__init__(file)
        self._lenient = lenient
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Answer what the pickle names.

        Raises
        ------
        ValueError
            If it is no part of a tensor.
        """
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if module in ("torch", "torch.storage") and name in STORAGES:
            return name
        if self._lenient:
            return Inert
        raise ValueError(
            f"it asks for {module}.{name}, which is no part of a tensor (training state beside "
            "the weights? lenient=True skips it without running it)"
        )

    def persistent_load(self, pid: Any) -> Storage:
        """Describe a storage; its data lie elsewhere in the file."""
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            raise ValueError("it refers to something that is no storage")
        kind, key, count = pid[1], pid[2], pid[4]
        if kind not in STORAGES or not isinstance(key, str) or not _whole(count):
            raise ValueError("it describes a storage whose kind, key or length makes no sense")
        described = Storage(kind, key, count)
        storage = self.storages.setdefault(key, described)
        if storage != described:
            raise ValueError(f"it describes the storage {key} twice and differently")
        return storage


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> Tensor:
    """Describe a tensor, checking that it lies inside its storage."""
    numbers = [offset, *_tuple(shape), *_tuple(strides)]
    if not isinstance(storage, Storage) or not all(map(_whole, numbers)):
        raise ValueError("a tensor's storage, offset, shape or strides are damaged")
    if len(shape) != len(strides) or len(shape) > 32:
        raise ValueError(f"a tensor has {len(shape)} axes and {len(strides)} strides")
    count = math.prod(shape)
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if count else 0
    if offset > storage.length or last >= max(storage.length, 1):
        raise ValueError(f"a tensor {tuple(shape)} lies outside its storage of {storage.length}")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(data: Any, *rest: Any) -> Any:
    return data


def _tuple(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list):
        raise ValueError("a tensor's shape or strides are damaged")
    return tuple(value)


def _whole(number: Any) -> bool:
    return type(number) is int and 0 <= number < 2**48


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _TensorDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "Size"): tuple,
}
