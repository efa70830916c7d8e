r"""Read the arrays of an .npz archive, as NumPy's `savez` writes it.

    zip, stored without compression: <name>.npy
    .npy   \x93NUMPY, version, length of the header, header, numbers
    header {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }

`np.load` decompresses what a few bytes claim to be, and evaluates headers before it compares their
checksum. Here each member is read in full and checked by its CRC first, and nothing may be larger
than the file.
"""

import math
import re
import zipfile
from pathlib import Path

import numpy as np

from tervit_np.arrays import Array

_HEADER = re.compile(
    rb"\{'descr': '([<>|=]?[biuf]\d{1,2})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18}(?:, \d{1,18}){0,31})?),?\), \} *\n?"
)
_MAGIC = b"\x93NUMPY"
_MAX_DIRECTORY = 2_000_000  # bytes; each entry has at least 46 and becomes an object of 600
_END, _END64 = b"PK\x05\x06", b"PK\x06\x06"
_END_BYTES, _END64_BYTES, _MAX_COMMENT = 22, 56 + 20, 65535


def read_arrays(path: Path) -> dict[str, Array]:
    """Read all arrays.  -> {name: array}, in the order of the archive.

    Raises
    ------
    ValueError, OSError, zipfile.BadZipFile, EOFError, RuntimeError
        If the archive is damaged, is compressed, or holds anything but arrays of numbers.
    """
    size = path.stat().st_size
    check_directory(path)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        claimed = sum(member.file_size for member in members)
        if claimed > size:
            raise ValueError(f"its members claim {claimed} bytes, it has {size}")
        arrays: dict[str, Array] = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{name} is compressed, which checkpoints are not")
            if name in arrays:
                raise ValueError(f"it holds {name} twice")
            arrays[name] = _array(name, archive.read(member))
    return arrays


def check_directory(path: Path) -> None:
    """Raise ValueError if the list of members would take more memory than a model's archive needs.

    `zipfile` reads it in full when it opens a file. PyTorch writes two ends, the first one for
    archives of more than 4 GB.
    """
    with open(path, "rb") as file:
        file.seek(max(path.stat().st_size - _END_BYTES - _MAX_COMMENT - _END64_BYTES, 0))
        tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) < end + _END_BYTES:
        raise ValueError("it has no list of members at its end: truncated?")
    directory = int.from_bytes(tail[end + 12 : end + 16], "little")
    large = tail[end - _END64_BYTES : end] if end >= _END64_BYTES else b""
    if large.startswith(_END64):
        small = directory if directory < 0xFFFFFFFF else 0
        directory = max(small, int.from_bytes(large[40:48], "little"))
    if directory > _MAX_DIRECTORY:
        raise ValueError("its list of members is too long for the archive of a model")


def _array(name: str, data: bytes) -> Array:
    """Read an array from the bytes of an .npy file."""
    major = data[6] if data.startswith(_MAGIC) and len(data) > 12 else 0
    if major not in (1, 2, 3):
        raise ValueError(f"{name} is not an array")
    start = 10 if major == 1 else 12
    stop = start + int.from_bytes(data[8:start], "little")
    match = _HEADER.fullmatch(data, start, min(stop, len(data)))
    if match is None:
        raise ValueError(f"{name} is not an array of plain numbers, or its header is damaged")
    dtype = _dtype(name, match[1].decode())
    shape = tuple(int(n) for n in match[3].split(b",") if n)
    if math.prod(shape) * dtype.itemsize != len(data) - stop:
        raise ValueError(f"{name} {shape} does not fill its {len(data) - stop} bytes")
    flat: Array = np.frombuffer(data, dtype, offset=stop)
    return flat.reshape(shape, order="F" if match[2] == b"True" else "C").copy()


def _dtype(name: str, text: str) -> "np.dtype[np.generic]":
    try:
        return np.dtype(text)
    except TypeError:
        raise ValueError(f"{name} has the unknown dtype {text}") from None
