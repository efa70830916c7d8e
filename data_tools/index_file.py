"""Files that remember where the pictures of a data set are, so that it is listed only once.

    <data folder>/indexes/<name>.list    a line of JSON, then arrays one after another

A checksum covers all of it. The line says for which state of the data set it was written; what is
out of date, damaged or of another format is made anew.
"""

import json
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from data_tools.imageset import Array
from data_tools.paths import data_root, partial_path, remove_abandoned, user_cache, writable_folder
from data_tools.terminal import note

_MAX_HEADER = 1_500_000  # bytes of the line of JSON: about 30,000 folders
T = TypeVar("T")


class Form(NamedTuple):
    """What an index contains."""

    version: int
    kinds: tuple[str, ...]  # of its arrays, as "<i8"


def stored(
    name: str,
    root: Path | None,
    form: Form,
    accept: Callable[[dict[str, Any], list[Array]], T | None],
) -> T | None:
    """Read the index of this name; None unless it is there, whole and accepted.

    `accept` gets the header and the arrays, and returns None if they are out of date; what it
    raises means damage, which a note says.
    """
    for base in (data_root(root), user_cache()):
        file = base / "indexes" / f"{name}.list"
        try:
            found = _read(file, form)
            if found is not None and (result := accept(*found)) is not None:
                return result
        except (FileNotFoundError, NotADirectoryError):  # no index, or a folder that is gone
            continue
        except Exception as error:  # json raises anything for damaged bytes
            reason = str(error) or type(error).__name__
            note(f"the cache {file} is damaged ({reason}) and is made anew")
    return None


def store(
    name: str, root: Path | None, form: Form, header: dict[str, Any], arrays: Sequence[Array]
) -> None:
    """Write an index atomically; without permission or space, write none."""
    folder = writable_folder(data_root(root) / "indexes", user_cache() / "indexes")
    if folder is None:
        return
    remove_abandoned(folder)
    stored_arrays = [np.asarray(a, kind) for a, kind in zip(arrays, form.kinds, strict=True)]
    header = {"format": form.version, "lengths": [len(a) for a in stored_arrays], **header}
    parts = [array.tobytes() for array in stored_arrays]
    line = json.dumps({**header, "checksum": checksum(header, *parts)}).encode() + b"\n"
    if len(line) > _MAX_HEADER:
        return
    partial = partial_path(folder)
    try:
        with open(partial, "xb") as file:
            file.write(line)
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, folder / f"{name}.list")
    except OSError:
        partial.unlink(missing_ok=True)


def checksum(header: dict[str, Any], *parts: bytes) -> int:
    """Return a CRC of all fields and bytes."""
    total = zlib.crc32(json.dumps(header).encode())
    for part in parts:
        total = zlib.crc32(part, total)
    return total


def _read(path: Path, form: Form) -> tuple[dict[str, Any], list[Array]] | None:
    """Read header and arrays; None if the format is another one, ValueError for damage."""
    with open(path, "rb") as file:
        header = json.loads(file.readline(_MAX_HEADER))
        body = file.read()
    if header.get("format") != form.version:
        return None
    if header.pop("checksum", None) != checksum(header, body):
        raise ValueError("its checksum is wrong")
    return header, _split(body, header["lengths"], form.kinds)


def _split(body: bytes, lengths: list[int], kinds: tuple[str, ...]) -> list[Array]:
    """Return the arrays, which share the memory of `body`."""
    arrays, start = [], 0
    for length, kind in zip(lengths, kinds, strict=True):
        arrays.append(np.frombuffer(body, kind, length, start))
        start += arrays[-1].nbytes
    return arrays
