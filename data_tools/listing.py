"""The pictures of a folder and their classes, listed once and then read from a cache.

A folder with 1.3 million names takes long to walk and, as Python strings, much memory. All names
are therefore one array of bytes with offsets. The cache is valid while the modification times of
all folders are the same: adding or removing a file changes that of its folder, and there are few
folders.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from data_tools.files import Folder, short_hash
from data_tools.folders import find_splits
from data_tools.imageset import Array, DataError, NoSuchSplit
from data_tools.paths import data_root, user_cache, writable_folder

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Listing:
    """File names relative to the folder `path`, and their labels."""

    path: Path
    text: Array  # uint8: all names, one after another
    offsets: Array  # int64 (N + 1,): of each name in `text`
    selected: Array  # int64 (n,): which of the N names belong to this listing
    labels: Array  # int64 (n,)
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.selected)

    def name(self, i: int) -> str:
        """Return the name of picture i, relative to `path`."""
        k = self.selected[i]
        return self.text[self.offsets[k] : self.offsets[k + 1]].tobytes().decode()

    def take(self, indices: Array) -> "Listing":
        """Return the pictures at `indices`; names are shared, not copied."""
        return replace(self, selected=self.selected[indices], labels=self.labels[indices])

    def select_classes(self, names: list[str]) -> "Listing":
        """Return the pictures of these classes, labelled 0, 1, ... in their order.

        Raises
        ------
        DataError
            If a class does not occur.
        """
        unknown = [name for name in names if name not in self.classes]
        if unknown:
            examples = ", ".join(self.classes[:3]) + ", ..." * (len(self.classes) > 3)
            raise DataError(f"{self.path} has no class {unknown[0]!r}; it has {examples}")
        new_label = np.full(len(self.classes), -1)
        new_label[[self.classes.index(name) for name in names]] = np.arange(len(names))
        subset = self.take(np.flatnonzero(new_label[self.labels] >= 0))
        return replace(subset, labels=new_label[subset.labels], classes=tuple(names))

    def first_per_class(self, count: int) -> "Listing":
        """Return the first `count` pictures of each class."""
        order = np.argsort(self.labels, kind="stable")
        ranks = np.arange(len(order)) - np.searchsorted(self.labels[order], self.labels[order])
        return self.take(np.sort(order[ranks < count]))

    def relabel(self, classes: tuple[str, ...]) -> "Listing":
        """Return the same pictures, labelled by a longer list of classes.

        Raises
        ------
        DataError
            If a class is not in the list.
        """
        missing = [name for name in self.classes if name not in classes]
        if missing:
            raise DataError(
                f"{self.path}: class {missing[0]!r} is not one of the {len(classes)} expected"
            )
        new_label = np.array([classes.index(name) for name in self.classes])
        return replace(self, labels=new_label[self.labels], classes=classes)


def list_pictures(path: Path, split: str, root: Path | None = None) -> Listing:
    """List the pictures of one split of a folder, from the cache if it is valid.

    Raises
    ------
    NoSuchSplit
        If the folder has no such split.
    DataError
        If it is not a folder, or has no pictures in class folders.
    """
    if not path.is_dir():
        raise DataError(f"{path}: expected a folder of pictures")
    absolute = path.resolve()
    name = f"{absolute.name}-{short_hash(str(absolute))}-{split}.npz"
    for base in (data_root(root), user_cache()):
        if (listing := _read(base / "indexes" / name, path)) is not None:
            return listing
    listing, folders = _walk(path, split)
    target = writable_folder(data_root(root) / "indexes", user_cache() / "indexes")
    if target is not None:
        _write(target / name, listing, folders)
    return listing


def _walk(path: Path, split: str) -> tuple[Listing, dict[str, int]]:
    """List the pictures, and the modification time of each folder."""
    files = Folder(path)
    folders = {folder: _modified(path / folder) for folder in files.folders()}
    splits = find_splits(files)
    if split not in splits:
        raise NoSuchSplit(f"{path} has no split {split!r}; it has {' and '.join(splits)}")
    class_of = splits[split]
    classes = tuple(sorted(set(splits.get("train", class_of).values())))
    label = {name: i for i, name in enumerate(classes)}
    unknown = set(class_of.values()) - label.keys()
    if unknown:
        raise DataError(f"{path}: class {min(unknown)!r} of {split} does not occur in train")
    names = sorted(class_of)
    encoded = [name.encode() for name in names]
    offsets = np.zeros(len(names) + 1, np.int64)
    np.cumsum([len(name) for name in encoded], out=offsets[1:])
    labels = np.array([label[class_of[name]] for name in names], np.int64)
    text = np.frombuffer(b"".join(encoded), np.uint8)
    return Listing(path, text, offsets, np.arange(len(names)), labels, classes), folders


def _modified(folder: Path) -> int:
    return folder.stat().st_mtime_ns


def _write(target: Path, listing: Listing, folders: dict[str, int]) -> None:
    """Write the cache atomically; without permission or space, write none."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            np.savez(
                file,
                format=FORMAT,
                text=listing.text,
                starts=listing.offsets,
                labels=listing.labels,
                classes=_join_lines(listing.classes),
                folders=_join_lines(folders),
                times=np.array(list(folders.values())),
            )
        os.replace(partial, target)
    except OSError:
        partial.unlink(missing_ok=True)


def _read(file: Path, path: Path) -> Listing | None:
    """Read a cached listing; None if it is absent, damaged or out of date."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            if stored["format"] != FORMAT:
                return None
            times = zip(_split_lines(stored["folders"]), stored["times"].tolist(), strict=True)
            if any(_modified(path / folder) != time for folder, time in times):
                return None
            offsets, labels = stored["starts"], stored["labels"]
            classes = tuple(_split_lines(stored["classes"]))
            return Listing(path, stored["text"], offsets, np.arange(len(labels)), labels, classes)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _join_lines(names: Iterable[str]) -> Array:
    return np.frombuffer("\n".join(names).encode(), np.uint8)


def _split_lines(text: Array) -> list[str]:
    return text.tobytes().decode().split("\n")
