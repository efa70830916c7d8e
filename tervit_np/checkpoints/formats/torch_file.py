"""PyTorch's two containers, without PyTorch.

zip     <root>/data.pkl, and each storage as <root>/data/<key>, with checksums
older   five pickles: magic number, version, system, object, storage keys; then each storage
        as an int64 count and its data
"""

import mmap
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.pickle_values import Skipped, shown
from tervit_np.arrays import Array
from tervit_np.checkpoints.formats.npz_archive import check_directory
from tervit_np.checkpoints.formats.torch_pickle import (
    PlainReader,
    Storage,
    Tensor,
    TensorReader,
)
from tervit_np.checkpoints.formats.wrappers import flatten

MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_MAX_TENSORS, _BYTES_PER_TENSOR = 10_000, 4096  # as many, and one more for so many bytes
# What zipfile and zlib raise for damaged bytes.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, KeyError, IndexError,
    OverflowError, MemoryError, NotImplementedError, RuntimeError, OSError,
)  # fmt: skip
_Read = Callable[[Storage], Array]


def read_torch(path: Path, lenient: bool = False) -> dict[str, Array]:
    """Read the tensors of a .pth or .pt file.  -> {name: array}.

    The keys of dictionaries in dictionaries are joined with dots: model.head.weight.

    Raises
    ------
    ValueError
        If the file is truncated, names anything but tensors, or has no state dict.
    """
    try:
        with ExitStack() as stack:
            open_file = _open_zip if zipfile.is_zipfile(path) else _open_older
            content, read = open_file(path, lenient, stack)
            tensors = _state_dict(content)
            _check_sizes(tensors, path.stat().st_size)
            return _arrays(tensors, read)
    except _DAMAGE as error:
        words = str(error) or type(error).__name__
        raise ValueError(f"{path}: not a readable PyTorch file: {words}") from None


def _check_sizes(tensors: dict[str, Tensor], size: int) -> None:
    """Raise ValueError if tensors need much more memory than the file: they overlap or expand."""
    if len(tensors) > _MAX_TENSORS + size // _BYTES_PER_TENSOR:
        raise ValueError(f"it has {size} bytes and names {len(tensors)} tensors")
    storages = {t.storage.key: t.storage for t in tensors.values()}.values()
    stored = sum(s.length * s.dtype.itemsize for s in storages)
    needed = sum(t.nbytes for t in tensors.values())
    if stored > size or needed > 2 * size:
        raise ValueError(
            f"it has {size} bytes, its storages need {stored} and its tensors {needed}"
        )


def _arrays(tensors: dict[str, Tensor], read: _Read) -> dict[str, Array]:
    """Copy the tensors from their storages, with one storage in memory at a time."""
    names: dict[str, list[str]] = {}
    for name, tensor in tensors.items():
        names.setdefault(tensor.storage.key, []).append(name)
    arrays: dict[str, Array] = {}
    for group in names.values():
        data = read(tensors[group[0]].storage)
        arrays |= {name: tensors[name].of(data) for name in group}
    return {name: arrays[name] for name in tensors}


def _open_zip(path: Path, lenient: bool, stack: ExitStack) -> tuple[Any, _Read]:
    """Read the object of a zip container.  -> object, function that reads a storage."""
    check_directory(path)
    archive = stack.enter_context(zipfile.ZipFile(path))
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError(f"it is a zip file with {len(pickles)} data.pkl in it, expected one")
    content = TensorReader(_member(archive, pickles[0]), 0, lenient).load()
    root = pickles[0].removesuffix("data.pkl")

    def read(storage: Storage) -> Array:
        size = storage.length * storage.dtype.itemsize
        return np.frombuffer(_member(archive, f"{root}data/{storage.key}", size), storage.dtype)

    return content, read


def _member(archive: zipfile.ZipFile, name: str, size: int | None = None) -> bytes:
    """Read a member and check its size; PyTorch does not compress members."""
    info = archive.getinfo(name)
    if size is not None and info.file_size != size:
        raise ValueError(f"{name} has {info.file_size} bytes, expected {size}")
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise ValueError(f"{name} claims {info.file_size} bytes in {info.compress_size}")
    return archive.read(info)


def _open_older(path: Path, lenient: bool, stack: ExitStack) -> tuple[Any, _Read]:
    """Read the object of an older container.  -> object, function that reads a storage."""
    stream = stack.enter_context(open(path, "rb"))
    # A memory map never reads beyond the file, whatever length a pickle claims.
    file = stack.enter_context(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    plain = PlainReader(file)
    if not _is_integer(plain.load(), MAGIC):
        raise ValueError("it is not a zip file and does not begin like an older one; truncated?")
    version, _ = plain.load(), plain.load()
    if not _is_integer(version, _VERSION):
        raise ValueError(f"it has another version than {_VERSION}")
    tensors = TensorReader(file, plain.position, lenient)
    content = tensors.load()
    plain.position = tensors.position
    keys, start = plain.load(), plain.position
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("its list of storages is damaged")
    offsets: dict[str, int] = {}
    for key in keys:
        storage = tensors.storages.get(key)
        if storage is None:
            raise ValueError(f"it lists a storage {shown(key)} that no tensor uses")
        offsets[key] = start
        start += 8 + storage.length * storage.dtype.itemsize
    if start != path.stat().st_size:
        raise ValueError(
            f"it has {path.stat().st_size} bytes, its tensors need {start}: truncated?"
        )

    def read(storage: Storage) -> Array:
        start = offsets[storage.key]
        if int.from_bytes(file[start : start + 8], "little") != storage.length:
            raise ValueError(f"storage {storage.key} has another length than its tensors say")
        stop = start + 8 + storage.length * storage.dtype.itemsize
        return np.frombuffer(file[start + 8 : stop], storage.dtype)

    return content, read


def _is_integer(value: Any, expected: int) -> bool:
    return type(value) is int and value == expected


def _state_dict(content: Any) -> dict[str, Tensor]:
    """Collect the tensors in a loaded object, by their keys joined with dots."""
    if isinstance(content, Skipped):
        raise ValueError(
            "it holds a whole model instead of its weights; load it where it was made and write "
            "torch.save(model.state_dict(), FILE)"
        )
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, expected a dictionary of tensors")
    tensors = {name: v for name, v in flatten(content).items() if isinstance(v, Tensor)}
    if not tensors:
        raise ValueError("it holds no named tensors")
    return tensors
