"""The pictures of a folder and their classes, listed once and then read from a cache.

A folder with 1.3 million names takes long to walk and, as Python strings, much memory. All names
are therefore one array of bytes with offsets. The cache is valid while the modification times of
all folders and lists of labels are the same: adding or removing a file changes that of its folder,
and there are few folders.

    <data folder>/indexes/<folder>-<hash>-<split>.list    a line of JSON, then the three arrays
"""

import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.files import Folder, short_hash
from data_tools.holdout import read_layout
from data_tools.imageset import Array, DataError
from data_tools.left_out import note_on, print_note
from data_tools.paths import (
    data_root,
    partial_path,
    remove_abandoned,
    user_cache,
    writable_folder,
)
from data_tools.terminal import note

FORMAT = 3
_MAX_HEADER = 1_500_000  # bytes of the line of JSON: about 30,000 folders
_ARRAYS = {"text": "u1", "offsets": "<i8", "labels": "<i8"}


@dataclass(frozen=True, eq=False)
class Listing:
    """File names relative to the folder `path`, and their labels."""

    path: Path
    text: Array  # uint8: all names, one after another
    offsets: Array  # int64 (N + 1,): of each name in `text`
    selected: Array  # int64 (n,): which of the N names belong to this listing
    labels: Array  # int64 (n,)
    classes: tuple[str, ...]
    note: str = ""  # on what is left out

    def __len__(self) -> int:
        return len(self.selected)

    def name(self, i: int) -> str:
        """Return the name of picture i, relative to `path`."""
        k = self.selected[i]
        return (
            self.text[self.offsets[k] : self.offsets[k + 1]]
            .tobytes()
            .decode("utf-8", "surrogateescape")
        )

    def take(self, indices: Array) -> "Listing":
        """Return the pictures at `indices`; names are shared, not copied."""
        return replace(self, selected=self.selected[indices], labels=self.labels[indices])

    def select_classes(self, names: list[str]) -> "Listing":
        """Return the pictures of these classes, labelled 0, 1, ... in their order.

        Raises
        ------
        DataError
            If a class does not occur, or is named twice.
        """
        unknown = [name for name in names if name not in self.classes]
        if unknown:
            examples = ", ".join(self.classes[:3]) + ", ..." * (len(self.classes) > 3)
            raise DataError(f"{self.path} has no class {unknown[0]!r}; it has {examples}")
        if twice := [name for name in names if names.count(name) > 1]:
            raise DataError(f"the class {twice[0]!r} is named twice")
        new_label = np.full(len(self.classes), -1)
        new_label[[self.classes.index(name) for name in names]] = np.arange(len(names))
        subset = self.take(np.flatnonzero(new_label[self.labels] >= 0))
        return replace(subset, labels=new_label[subset.labels], classes=tuple(names))

    def first_per_class(self, count: int) -> "Listing":
        """Return the first `count` pictures of each class."""
        order = np.argsort(self.labels, kind="stable")
        ranks = np.arange(len(order)) - np.searchsorted(self.labels[order], self.labels[order])
        return self.take(np.sort(order[ranks < count]))

    def relabel(self, labels: Sequence[int], classes: tuple[str, ...]) -> "Listing":
        """Return the same pictures with new classes: class i becomes labels[i]."""
        return replace(self, labels=np.array(labels, np.int64)[self.labels], classes=classes)


def list_pictures(path: Path, split: str, root: Path | None = None, test: float = 0.0) -> Listing:
    """List the pictures of one split of a folder, from the cache if it is valid.

    A fraction `test` of each class is set aside as test split (holdout.py).

    A note on standard error says what is left out.

    Raises
    ------
    NoSuchSplit
        If the folder has no such split.
    DataError
        If it is not a folder, or has no pictures in class folders.
    """
    if not path.is_dir():
        hint = "; folder:PATH reads archives" if path.exists() else ""
        raise DataError(f"{path}: expected a folder of pictures{hint}")
    listing = _cached(path, split, root, test)
    print_note(listing.note)
    return listing


def _cached(path: Path, split: str, root: Path | None, test: float) -> Listing:
    absolute = path.resolve()
    aside = f"-test{test:g}" if test else ""
    name = f"{absolute.name}-{short_hash(str(absolute))}{aside}-{split}.list"
    for base in (data_root(root), user_cache()):
        if (listing := _read(base / "indexes" / name, path)) is not None:
            return listing
    listing, times = _walk(path, split, test)
    target = writable_folder(data_root(root) / "indexes", user_cache() / "indexes")
    if target is not None:
        _write(target / name, listing, times)
    return listing


def _walk(path: Path, split: str, test: float) -> tuple[Listing, dict[str, int]]:
    """List the pictures, and the times of modification of folders and lists of labels."""
    files = Folder(path)
    times = {folder: _modified(path / folder) for folder in files.folders()}
    layout = read_layout(files, test)
    lists = [name for found in layout.splits.values() for name in found.lists]
    times |= {name: _modified(path / name) for name in lists}
    class_of, classes = layout.split(split).class_of, layout.classes
    label = {name: i for i, name in enumerate(classes)}
    names = sorted(class_of)
    encoded = [name.encode("utf-8", "surrogateescape") for name in names]
    offsets = np.zeros(len(names) + 1, np.int64)
    np.cumsum([len(name) for name in encoded], out=offsets[1:])
    labels = np.array([label[class_of[name]] for name in names], np.int64)
    text = np.frombuffer(b"".join(encoded), np.uint8)
    note = note_on(files, layout, split)
    return Listing(path, text, offsets, np.arange(len(names)), labels, classes, note), times


def _modified(path: Path) -> int:
    return path.stat().st_mtime_ns


def _write(target: Path, listing: Listing, times: dict[str, int]) -> None:
    """Write the cache atomically; without permission or space, write none."""
    remove_abandoned(target.parent)
    partial = partial_path(target.parent)
    arrays = [np.asarray(getattr(listing, name), kind) for name, kind in _ARRAYS.items()]
    header = {
        "format": FORMAT,
        "lengths": [len(array) for array in arrays],
        "classes": listing.classes,
        "note": listing.note,
        "times": times,
    }
    parts = [array.tobytes() for array in arrays]
    line = json.dumps({**header, "checksum": _checksum(header, *parts)}).encode() + b"\n"
    if len(line) > _MAX_HEADER:
        return
    try:
        with open(partial, "xb") as file:
            file.write(line)
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except OSError:
        partial.unlink(missing_ok=True)


def _read(file: Path, path: Path) -> Listing | None:
    """Read a cached listing; None if it is absent, out of date, or damaged, which is said."""
    try:
        return _open(file, path)
    except FileNotFoundError:  # no cache, or a folder that has been removed
        return None
    except Exception as error:  # json raises anything for damaged bytes
        reason = str(error) or type(error).__name__
        note(f"the cache {file} is damaged ({reason}) and is made anew")
        return None


def _open(cache: Path, path: Path) -> Listing | None:
    """Read the cache of the folder `path`; None if it is out of date."""
    with open(cache, "rb") as file:
        header = json.loads(file.readline(_MAX_HEADER))
        body = file.read()
    if header.get("format") != FORMAT:
        return None
    if header.pop("checksum", None) != _checksum(header, body):
        raise ValueError("its checksum is wrong")
    if any(_modified(path / name) != time for name, time in header["times"].items()):
        return None
    text, offsets, labels = _split(body, header["lengths"])
    classes = tuple(map(str, header["classes"]))
    _check(text, offsets, labels, len(classes))
    note = str(header["note"])
    return Listing(path, text, offsets, np.arange(len(labels)), labels, classes, note)


def _checksum(header: dict[str, Any], *parts: bytes) -> int:
    """Return a CRC of all fields and bytes."""
    checksum = zlib.crc32(json.dumps(header).encode())
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return checksum


def _split(body: bytes, lengths: list[int]) -> list[Array]:
    """Return the arrays, which share the memory of `body`."""
    arrays, start = [], 0
    for length, kind in zip(lengths, _ARRAYS.values(), strict=True):
        arrays.append(np.frombuffer(body, kind, length, start))
        start += arrays[-1].nbytes
    return arrays


def _check(text: Array, offsets: Array, labels: Array, classes: int) -> None:
    """Raise ValueError if a label is out of range or a name leads out of the folder."""
    if len(offsets) != len(labels) + 1 or offsets[0] != 0 or offsets[-1] != len(text):
        raise ValueError("its names and labels differ in number")
    if (np.diff(offsets) < 1).any() or labels.min() < 0 or labels.max() >= classes:
        raise ValueError("a name or a label is out of range")
    names = text.tobytes()
    bounds = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    may_climb = b".." in names and any(b".." in names[a:b].split(b"/") for a, b in bounds)
    if may_climb or (text[offsets[:-1]] == ord("/")).any() or b"\0" in names:
        raise ValueError("a name leads out of the folder")
