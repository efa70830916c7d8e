"""One interface to the files of a folder and of a tar archive.

Archives are read in place, never unpacked, so that no file name in them can write outside a folder.
Hidden files are left out, and what operating systems and file servers add: thumbnails, waste bins.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

from data_tools.imageset import DataError
from data_tools.tar import contents, members

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_ADDED = ("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information",
          "lost+found", "Thumbs.db", "desktop.ini")  # fmt: skip
_CACHES = ("decoded", "indexes")  # our own, in data folders


class Files(Protocol):
    """Names, with forward slashes, and contents of the files in a folder or an archive."""

    path: Path

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""

    def read(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of the wanted files, in any order."""

    def fingerprint(self) -> str:
        """Return a short hash that changes when the files change."""


def open_files(path: Path) -> Files:
    """Open a folder or an archive.

    Raises
    ------
    DataError
        If it is neither.
    """
    if path.is_dir():
        return Folder(path)
    if path.is_file() and path.name.lower().endswith(ARCHIVES):
        return Archive(path)
    if path.exists():
        raise DataError(f"{path}: expected a folder or an archive ({', '.join(ARCHIVES)})")
    raise DataError(f"{path}: no such file or folder")


class Folder:
    """All files below a folder, without hidden ones; links are followed.

    Raises
    ------
    DataError
        If a folder cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._entries = list(_walk(str(path), ""))
        except OSError as error:
            raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from None

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        return self._names

    @cached_property
    def _names(self) -> list[str]:
        return sorted(name for name in self._entries if not name.endswith("/"))

    def folders(self) -> list[str]:
        """Return this folder as "" and those below it as "name/"."""
        return ["", *(name for name in self._entries if name.endswith("/"))]

    def read(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of the wanted files, sorted by name."""
        for name in filter(wanted, self._names):
            try:
                with open(os.path.join(self.path, name), "rb") as file:
                    content = file.read()
            except OSError as error:
                raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from None
            yield name, content

    def fingerprint(self) -> str:
        """Hash names, sizes and times of modification."""
        stats = (os.stat(os.path.join(self.path, name)) for name in self._names)
        rows = zip(self._names, stats, strict=True)
        return short_hash(repr([(name, s.st_size, s.st_mtime_ns) for name, s in rows]))


def _walk(folder: str, prefix: str) -> Iterator[str]:
    """Yield files as "name" and folders as "name/", without a system call for each file."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if _is_added(entry.name):
                continue
            if entry.is_dir():
                if not _is_cycle(entry) and not _is_cache(entry):
                    yield f"{prefix}{entry.name}/"
                    yield from _walk(entry.path, f"{prefix}{entry.name}/")
            elif entry.is_file():
                yield prefix + entry.name


def _is_added(name: str) -> bool:
    """Return whether a file or folder is hidden, or not the user's own."""
    return name.startswith(".") or name in _ADDED


def _is_cycle(entry: os.DirEntry[str]) -> bool:
    """Return whether the entry is a link to one of its parent folders."""
    return entry.is_symlink() and Path(entry.path).resolve() in Path(entry.path).absolute().parents


def _is_cache(entry: os.DirEntry[str]) -> bool:
    """Return whether the entry is one of our caches, and not a class of that name."""
    return entry.name in _CACHES and all(
        name.startswith(".")
        or name.endswith(".npz")
        or Path(entry.path, name, "meta.json").exists()
        for name in os.listdir(entry.path)
    )


class Archive:
    """Files in a tar archive, compressed or not, without hidden ones."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        return self._names

    def fingerprint(self) -> str:
        """Hash name, size and time of modification of the archive."""
        stat = self.path.stat()
        return short_hash(repr((self.path.name, stat.st_size, stat.st_mtime_ns)))

    @cached_property
    def _names(self) -> list[str]:
        names = (_normalized(member.name) for member in members(self.path))
        counts = Counter(name for name in names if not any(map(_is_added, name.split("/"))))
        twice = next((name for name, count in counts.items() if count > 1), None)
        if twice is not None:
            raise DataError(f"{self.path}: two files are named {twice}; expected one")
        return sorted(counts)

    def read(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of the wanted files, in the order of the archive."""
        own = set(self._names)

        def is_wanted(name: str) -> bool:
            return _normalized(name) in own and wanted(_normalized(name))

        for name, content in contents(self.path, is_wanted):
            yield _normalized(name), content


def _normalized(name: str) -> str:
    return PurePosixPath(name).as_posix().removeprefix("./")


def short_hash(text: str) -> str:
    """Return the first twelve hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]
