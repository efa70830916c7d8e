"""Write .pth files as PyTorch does, without PyTorch."""

import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
_NAMES = {"f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "i8": "LongStorage"}


def _module(name, **contents):
    module = types.ModuleType(name)
    for key, value in contents.items():
        value.__module__, value.__qualname__ = name, key
        setattr(module, key, value)
    return module


def _rebuild(*_):
    raise AssertionError("only its name is written")


_STORAGES = {name: type(name, (), {}) for name in _NAMES.values()}
_MODULES = {
    "torch": _module("torch", **_STORAGES),
    "torch._utils": _module("torch._utils", _rebuild_tensor_v2=_rebuild),
}


class _Storage:
    def __init__(self, key, array):
        self.key, self.array = key, np.ascontiguousarray(array)


class _Pickler(pickle.Pickler):
    def __init__(self, file):
        super().__init__(file, protocol=2)
        self.storages = []

    def persistent_id(self, value):
        if not isinstance(value, _Storage):
            return None
        storage_type = _STORAGES[_NAMES[value.array.dtype.str[1:]]]
        return "storage", storage_type, value.key, "cpu", value.array.size

    def reducer_override(self, value):
        if not isinstance(value, np.ndarray):
            return NotImplemented
        storage = _Storage(str(len(self.storages)), value)
        self.storages.append(storage)
        strides = tuple(s // storage.array.itemsize for s in storage.array.strides)
        return _rebuild, (storage, 0, value.shape, strides, False, OrderedDict())


def write_torch(value, path, older=False):
    """Write nested dictionaries of arrays (and what pickles without help) to a .pth file."""
    buffer = io.BytesIO()
    absent = {name: module for name, module in _MODULES.items() if name not in sys.modules}
    sys.modules.update(absent)
    try:
        pickler = _Pickler(buffer)
        pickler.dump(value)
    finally:
        for name in absent:
            del sys.modules[name]
    (_write_older if older else _write_zip)(path, buffer.getvalue(), pickler.storages)
    return path


def _write_zip(path, content, storages):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        for storage in storages:
            archive.writestr(f"archive/data/{storage.key}", storage.array.tobytes())
        archive.writestr("archive/version", "3\n")


def _write_older(path, content, storages):
    with open(path, "wb") as file:
        for value in (MAGIC, VERSION, {"little_endian": True}):
            pickle.dump(value, file, protocol=2)
        file.write(content)
        pickle.dump([storage.key for storage in storages], file, protocol=2)
        for storage in storages:
            file.write(storage.array.size.to_bytes(8, "little") + storage.array.tobytes())
