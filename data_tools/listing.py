"""Which pictures a folder holds and of which class: found once, then read from a cache.

A folder of 1.3 million names takes long to walk and, as Python strings, much memory. So names are
one run of bytes with offsets, and the cache is good as long as no folder in it has changed: adding
or removing a file changes the time of its folder, and folders are few.
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
    """Names below `place` and their labels."""

    place: Path
    text: Array  # uint8: all names, one after another
    starts: Array  # int64 (N + 1,): where each begins
    chosen: Array  # int64 (n,): which of them are meant
    labels: Array  # int64 (n,)
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.chosen)

    def name(self, i: int) -> str:
        """Return the name of picture i, below `place`."""
        at = self.chosen[i]
        return self.text[self.starts[at] : self.starts[at + 1]].tobytes().decode()

    def take(self, indices: Array) -> "Listing":
        """Return the pictures at `indices`; names are shared, not copied."""
        return replace(self, chosen=self.chosen[indices], labels=self.labels[indices])

    def of_classes(self, wanted: list[str]) -> "Listing":
        """Keep some classes only, numbered in the order given.

        Raises
        ------
        DataError
            If a class does not occur.
        """
        unknown = [name for name in wanted if name not in self.classes]
        if unknown:
            raise DataError(f"{self.place} has no class {unknown[0]!r}; it has {self._some()}")
        number = np.full(len(self.classes), -1)
        number[[self.classes.index(name) for name in wanted]] = np.arange(len(wanted))
        kept = self.take(np.flatnonzero(number[self.labels] >= 0))
        return replace(kept, labels=number[kept.labels], classes=tuple(wanted))

    def at_most(self, per_class: int) -> "Listing":
        """Keep the first `per_class` pictures of each class."""
        order = np.argsort(self.labels, kind="stable")
        ranks = np.arange(len(order)) - np.searchsorted(self.labels[order], self.labels[order])
        return self.take(np.sort(order[ranks < per_class]))

    def numbered_by(self, classes: tuple[str, ...]) -> "Listing":
        """Number the labels as in a longer list of classes.

        Raises
        ------
        DataError
            If a class is not in the list.
        """
        missing = [name for name in self.classes if name not in classes]
        if missing:
            raise DataError(f"{self.place}: class {missing[0]!r} is none of {len(classes)} others")
        number = np.array([classes.index(name) for name in self.classes])
        return replace(self, labels=number[self.labels], classes=classes)

    def _some(self) -> str:
        return ", ".join(self.classes[:3]) + ", ..." * (len(self.classes) > 3)


def list_pictures(place: Path, split: str, root: Path | None = None) -> Listing:
    """List the pictures of one split of a folder, from the cache if it is still true.

    Raises
    ------
    NoSuchSplit
        If the folder has no such split.
    DataError
        If it is no folder, or holds no pictures in class folders.
    """
    if not place.is_dir():
        raise DataError(f"{place}: expected a folder of pictures")
    whole = place.resolve()
    name = f"{whole.name}-{short_hash(str(whole))}-{split}.npz"
    for base in (data_root(root), user_cache()):
        if (found := _read(base / "indexes" / name, place)) is not None:
            return found
    listing, folders = _walk(place, split)
    target = writable_folder(data_root(root) / "indexes", user_cache() / "indexes")
    if target is not None:
        _write(target / name, listing, folders)
    return listing


def _walk(place: Path, split: str) -> tuple[Listing, dict[str, int]]:
    """Find the pictures, and every folder's time."""
    files = Folder(place)
    folders = {folder: _time(place / folder) for folder in files.folders()}
    splits = find_splits(files)
    if split not in splits:
        raise NoSuchSplit(f"{place} has no split {split!r}; it has {' and '.join(splits)}")
    teaching = splits["train" if "train" in splits else split]
    classes = tuple(sorted(set(teaching.values())))
    number = {name: i for i, name in enumerate(classes)}
    mine = sorted(splits[split])
    unknown = set(splits[split].values()) - number.keys()
    if unknown:
        raise DataError(f"{place}: class {min(unknown)!r} of {split} does not occur in train")
    encoded = [name.encode() for name in mine]
    starts = np.zeros(len(mine) + 1, np.int64)
    np.cumsum([len(name) for name in encoded], out=starts[1:])
    labels = np.array([number[splits[split][name]] for name in mine], np.int64)
    text = np.frombuffer(b"".join(encoded), np.uint8)
    return Listing(place, text, starts, np.arange(len(mine)), labels, classes), folders


def _time(folder: Path) -> int:
    return folder.stat().st_mtime_ns


def _write(target: Path, listing: Listing, folders: dict[str, int]) -> None:
    """Write the cache whole or not at all; that it cannot be written is no fault."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            np.savez(
                file,
                format=FORMAT,
                text=listing.text,
                starts=listing.starts,
                labels=listing.labels,
                classes=_pack(listing.classes),
                folders=_pack(folders),
                times=np.array(list(folders.values())),
            )
        os.replace(partial, target)
    except OSError:
        partial.unlink(missing_ok=True)


def _read(file: Path, place: Path) -> Listing | None:
    """Read a cached listing; None where it is absent, damaged or out of date."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            if stored["format"] != FORMAT:
                return None
            times = zip(_unpack(stored["folders"]), stored["times"].tolist(), strict=True)
            if any(_time(place / folder) != time for folder, time in times):
                return None
            starts, labels = stored["starts"], stored["labels"]
            classes = tuple(_unpack(stored["classes"]))
            return Listing(place, stored["text"], starts, np.arange(len(labels)), labels, classes)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _pack(names: Iterable[str]) -> Array:
    return np.frombuffer("\n".join(names).encode(), np.uint8)


def _unpack(text: Array) -> list[str]:
    return text.tobytes().decode().split("\n")
