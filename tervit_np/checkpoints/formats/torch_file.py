"""PyTorch's two containers, without PyTorch.

zip     <root>/data.pkl, and each storage as <root>/data/<key>, with checksums
older   five pickles in a row: magic number, version, system, object, storage keys; then each
        storage as an int64 count and its data
"""

import io
import mmap
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.checkpoints.formats.torch_pickle import (
    PlainUnpickler,
    Storage,
    Tensor,
    TensorUnpickler,
)

MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_WRAPPERS = ("model", "state_dict", "model_state")  # keys under which a state dict may lie
# What pickle, zipfile and zlib say of bytes that make no sense to them.
_NONSENSE = (
    pickle.UnpicklingError, zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError,
    TypeError, KeyError, IndexError, AttributeError, OverflowError, MemoryError, RecursionError,
    NotImplementedError, RuntimeError, ImportError, OSError,
)  # fmt: skip
_Read = Callable[[Storage], Array]


def read_torch(path: Path, lenient: bool = False) -> dict[str, Array]:
    """Read the state dict of a .pth or .pt file.  -> {name: array}.

    The state dict is the whole object, or lies in it under "model", "state_dict" or "model_state".

    Raises
    ------
    ValueError
        If the file is cut off, asks for anything but tensors, or holds no state dict.
    """
    try:
        with ExitStack() as opened:
            is_zip = zipfile.is_zipfile(path)
            found, read = (_open_zip if is_zip else _open_older)(path, lenient, opened)
            tensors = _state_dict(found)
            _check_sizes(tensors, path.stat().st_size)
            return _arrays(tensors, read)
    except _NONSENSE as error:
        words = str(error) or type(error).__name__
        raise ValueError(f"{path}: not a readable PyTorch file: {words}") from None


def _check_sizes(tensors: dict[str, Tensor], size: int) -> None:
    """Refuse what would take much more memory than the file: overlapping or expanded tensors."""
    storages = {t.storage.key: t.storage for t in tensors.values()}.values()
    stored = sum(s.length * s.dtype.itemsize for s in storages)
    needed = sum(t.nbytes for t in tensors.values())
    if stored > size or needed > 2 * size:
        raise ValueError(
            f"it has {size} bytes, its storages need {stored} and its tensors {needed}"
        )


def _arrays(tensors: dict[str, Tensor], read: _Read) -> dict[str, Array]:
    """Take the tensors out of their storages, holding one storage at a time."""
    names: dict[str, list[str]] = {}
    for name, tensor in tensors.items():
        names.setdefault(tensor.storage.key, []).append(name)
    arrays: dict[str, Array] = {}
    for sharing in names.values():
        data = read(tensors[sharing[0]].storage)
        arrays |= {name: tensors[name].of(data) for name in sharing}
    return {name: arrays[name] for name in tensors}


def _open_zip(path: Path, lenient: bool, opened: ExitStack) -> tuple[Any, _Read]:
    """Read the object of a zip container.  -> object, how to read a storage meanwhile."""
    archive = opened.enter_context(zipfile.ZipFile(path))
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError(f"it is a zip file with {len(pickles)} data.pkl in it, expected one")
    found = TensorUnpickler(io.BytesIO(_member(archive, pickles[0])), lenient).load()
    root = pickles[0].removesuffix("data.pkl")

    def read(storage: Storage) -> Array:
        size = storage.length * storage.dtype.itemsize
        return np.frombuffer(_member(archive, f"{root}data/{storage.key}", size), storage.dtype)

    return found, read


def _member(archive: zipfile.ZipFile, name: str, size: int | None = None) -> bytes:
    """Read a member of the size expected; PyTorch compresses none."""
    info = archive.getinfo(name)
    if size is not None and info.file_size != size:
        raise ValueError(f"{name} has {info.file_size} bytes, expected {size}")
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise ValueError(f"{name} claims {info.file_size} bytes in {info.compress_size}")
    return archive.read(info)


def _open_older(path: Path, lenient: bool, opened: ExitStack) -> tuple[Any, _Read]:
    """Read the object of an older container.  -> object, how to read a storage meanwhile."""
    stream = opened.enter_context(open(path, "rb"))
    # A map never reads more than there is, whatever length it is asked for.
    file = opened.enter_context(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    if _plain(file) != MAGIC:
        raise ValueError("it is neither a zip file nor begins like an older one; cut off?")
    version, _ = _plain(file), _plain(file)
    if version != _VERSION:
        raise ValueError(f"it has version {version!r}, expected {_VERSION}")
    unpickler = TensorUnpickler(file, lenient)
    found = unpickler.load()
    keys = _plain(file)
    start = file.tell()
    offsets: dict[str, int] = {}
    for key in keys:
        storage = unpickler.storages.get(key)
        if storage is None:
            raise ValueError(f"it lists a storage {key!r} that no tensor uses")
        offsets[key] = start
        start += 8 + storage.length * storage.dtype.itemsize
    if start != path.stat().st_size:
        raise ValueError(f"it has {path.stat().st_size} bytes, its tensors need {start}: cut off?")

    def read(storage: Storage) -> Array:
        start = offsets[storage.key]
        if int.from_bytes(file[start : start + 8], "little") != storage.length:
            raise ValueError(f"storage {storage.key} has another length than its tensors say")
        stop = start + 8 + storage.length * storage.dtype.itemsize
        return np.frombuffer(file[start + 8 : stop], storage.dtype)

    return found, read


def _plain(file: mmap.mmap) -> Any:
    return PlainUnpickler(file).load()


def _state_dict(found: Any) -> dict[str, Tensor]:
    """Find the dictionary of tensors in what was loaded."""
    for key in _WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
            break
    if not isinstance(found, dict):
        raise ValueError(f"it holds a {type(found).__name__}, expected a dictionary of tensors")
    tensors = {k: v for k, v in found.items() if isinstance(k, str) and isinstance(v, Tensor)}
    if not tensors:
        raise ValueError("it holds no tensors by name")
    return tensors
