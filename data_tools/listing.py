"""The pictures of a folder and their classes, listed once and then read from a cache.

A folder with 1.3 million names takes long to walk and, as Python strings, much memory. All names
are therefore one array of bytes with offsets. The cache is valid while the modification times of
all folders and lists of labels are the same: adding or removing a file changes that of its folder,
and there are few folders.

    <data folder>/indexes/<folder>-<hash>-<split>.list    (index_file.py)
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.class_names import first_few
from data_tools.files import Folder, cache_name
from data_tools.holdout import read_layout
from data_tools.imageset import Array, DataError
from data_tools.index_file import Form, store, stored
from data_tools.left_out import note_on, print_note
from data_tools.sources import FileNames, Source, TarMembers

_FORM = Form(4, ("u1", "<i8", "<i8"))  # text, offsets, labels


@dataclass(frozen=True, eq=False)
class Listing:
    """Places of pictures in the folder `path`, and their labels."""

    path: Path
    places: FileNames | TarMembers  # of N pictures
    selected: Array  # int64 (n,): which of the N belong to this listing
    labels: Array  # int64 (n,)
    classes: tuple[str, ...]
    note: str = ""  # on what is left out; without the path, which the next caller may spell anew

    def __len__(self) -> int:
        return len(self.selected)

    def source(self, i: int) -> Source:
        """Return the place of picture i."""
        return self.places.source(int(self.selected[i]))

    def name(self, i: int) -> str:
        """Return the place of picture i in words: its name, relative to `path`."""
        return str(self.source(i))

    def take(self, indices: Array) -> "Listing":
        """Return the pictures at `indices`; places are shared, not copied."""
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
            found = first_few(self.classes)
            raise DataError(f"{self.path} has no class {unknown[0]!r}; it has {found}")
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
    print_note(path, listing.note)
    return listing


def _cached(path: Path, split: str, root: Path | None, test: float) -> Listing:
    aside = f"-test{test!r}" if test else ""
    name = f"{cache_name(path)}{aside}-{split}"

    def accept(header: dict[str, Any], arrays: list[Array]) -> Listing | None:
        if any(_modified(path / name) != time for name, time in header["times"].items()):
            return None
        text, offsets, labels = arrays
        classes = tuple(map(str, header["classes"]))
        _check(text, offsets, labels, len(classes))
        places, selected = FileNames(text, offsets), np.arange(len(labels))
        return Listing(path, places, selected, labels, classes, str(header["note"]))

    if (listing := stored(name, root, _FORM, accept)) is not None:
        return listing
    listing, times = _walk(path, split, test)
    header = {"classes": listing.classes, "note": listing.note, "times": times}
    store(name, root, _FORM, header, [*listing.places, listing.labels])
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
    encoded = [os.fsencode(name) for name in names]
    offsets = np.zeros(len(names) + 1, np.int64)
    np.cumsum([len(name) for name in encoded], out=offsets[1:])
    labels = np.array([label[class_of[name]] for name in names], np.int64)
    places = FileNames(np.frombuffer(b"".join(encoded), np.uint8), offsets)
    note = note_on(files, layout, split)
    return Listing(path, places, np.arange(len(names)), labels, classes, note), times


def _modified(path: Path) -> int:
    return path.stat().st_mtime_ns


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
