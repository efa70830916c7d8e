"""safetensors: eight bytes of length, a JSON header, raw little-endian arrays.

    [n: uint64] [header: n bytes of JSON] [data]
    header = {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...}

Offsets count from the end of the header; the arrays fill the data without gap or overlap. NumPy has
no bfloat16, which is the upper half of a float32; it is read as float32.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.bfloat16 import floats_of
from tervit_np.files import as_path, atomic_write

_MAX_HEADER = 1_500_000  # bytes of JSON, which take up to twenty times as many in memory
_MAX_AXES = 32
_METADATA = "__metadata__"
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "|i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _DTYPES.items() if name != "BF16"}


def read_safetensors(path: str | Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Read all arrays and the file's own metadata.  -> {name: array}, {key: text}.

    Raises
    ------
    ValueError
        If the file is truncated, its header is damaged, or an array does not fit its bytes.
    """
    path = as_path(path)
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or not 2 <= length <= size - 8:
            raise ValueError(f"{path}: not a safetensors file, or truncated in its header")
        if length > _MAX_HEADER:
            raise ValueError(f"{path}: its header has {length} bytes, expected up to {_MAX_HEADER}")
        header = _parse(path, file.read(length))
    metadata = header.pop(_METADATA, {})
    if not _are_texts(metadata):
        raise ValueError(f"{path}: its {_METADATA} is not an object of texts")
    data = np.memmap(path, np.uint8, "r", offset=8 + length) if size > 8 + length else _NO_DATA
    entries = {name: _entry(path, name, entry) for name, entry in header.items()}
    _check_tiling(path, entries, size - 8 - length)
    arrays = {name: _take(data, *entry) for name, entry in entries.items()}
    return arrays, metadata


_NO_DATA = np.empty(0, np.uint8)
_Entry = tuple[str, tuple[int, ...], int, int]  # dtype, shape, begin, end


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: its header is not JSON ({error})") from None
    if not isinstance(header, dict):
        raise ValueError(f"{path}: its header is not a JSON object")
    return header


def _entry(path: Path, name: str, entry: Any) -> _Entry:
    """Check one entry of the header."""
    try:
        dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        are_integers = all(type(n) is int and n >= 0 for n in (*shape, begin, end))
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path}: the entry of {name} is damaged") from None
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ValueError(f"{path}: {name} has the unknown dtype {dtype!r}")
    if not are_integers or len(shape) > _MAX_AXES:
        raise ValueError(
            f"{path}: the shape or the offsets of {name} are not integers from 0 up, or too many"
        )
    if end - begin != math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize:
        raise ValueError(f"{path}: {name} {shape} {dtype} does not fill its {end - begin} bytes")
    return dtype, shape, begin, end


def _check_tiling(path: Path, entries: Mapping[str, _Entry], size: int) -> None:
    """Raise ValueError if arrays overlap, leave gaps, or end before or after the data."""
    position = 0
    for name, (_, _, begin, end) in sorted(entries.items(), key=lambda item: item[1][2:]):
        if begin != position:
            kind = "overlaps another array" if begin < position else "leaves a gap before it"
            raise ValueError(f"{path}: {name} {kind}")
        position = end
    if position != size:
        raise ValueError(
            f"{path}: {size} bytes of data, the header describes {position}: truncated?"
        )


def _take(data: Array, dtype: str, shape: tuple[int, ...], begin: int, end: int) -> Array:
    raw = np.array(data[begin:end]).view(_DTYPES[dtype]).reshape(shape)  # a copy, aligned
    return floats_of(raw) if dtype == "BF16" else raw


def save_safetensors(
    state: Mapping[str, Array], path: str | Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write {name: array} atomically, in C order whatever the arrays' strides.

    `metadata` is any text, stored in the header.

    Raises
    ------
    ValueError
        If the format has no name for an array's dtype, an array has the name of the metadata,
        these are not texts, or both are too long.
    OSError
        If the disk is full or the folder cannot be written.
    """
    path = as_path(path)
    _check_metadata(state, metadata or {})
    header: dict[str, Any] = {_METADATA: dict(metadata)} if metadata else {}
    arrays, position = [], 0
    for name, value in state.items():
        array = np.asarray(value)
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
        if array.dtype.str not in _NAMES:
            raise ValueError(
                f"save_safetensors: {name} is {array.dtype}, which the format does not have"
            )
        offsets = [position, position + array.nbytes]
        header[name] = {
            "dtype": _NAMES[array.dtype.str],
            "shape": list(array.shape),
            "data_offsets": offsets,
        }
        arrays.append(array)
        position = offsets[1]
    text = json.dumps(header, separators=(",", ":")).encode()
    if len(text) > _MAX_HEADER - 8:
        raise ValueError(
            f"save_safetensors: names and metadata take {len(text)} bytes, expected up to "
            f"{_MAX_HEADER}"
        )
    text += b" " * (-len(text) % 8)  # the data begin at a multiple of eight bytes
    with atomic_write(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays:
            file.write(array.data if array.size else b"")


def _check_metadata(state: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Raise ValueError for what `read_safetensors` would refuse."""
    if not _are_texts(metadata):
        raise ValueError(f"save_safetensors: metadata is {metadata!r}; expected {{text: text}}")
    if _METADATA in state:
        raise ValueError(f"save_safetensors: {_METADATA} names no array in this format")


def _are_texts(metadata: Any) -> bool:
    is_mapping = isinstance(metadata, Mapping)
    return is_mapping and all(isinstance(text, str) for pair in metadata.items() for text in pair)
