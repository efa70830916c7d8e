"""Files in a folder or in a tar archive, read by name in one way.

Archives are read, never unpacked, so their names can write nowhere.
"""

import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from data_tools.imageset import DataError

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ")  # first bytes of gzip, bzip2, xz
_NOT_DATA = ("decoded", "__MACOSX")  # our own cache, and what macOS adds to archives


class Files(Protocol):
    """Names and contents; names use forward slashes."""

    place: Path

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""

    def read(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of the files wanted, in any order."""

    def fingerprint(self) -> str:
        """Return a short word that changes when the files do."""


def open_files(place: Path) -> Files:
    """Open a folder or an archive.

    Raises
    ------
    DataError
        If it is neither.
    """
    if place.is_dir():
        return Folder(place)
    if place.is_file() and place.name.endswith(ARCHIVES):
        return Archive(place)
    if place.exists():
        raise DataError(f"{place}: expected a folder or an archive ({', '.join(ARCHIVES)})")
    raise DataError(f"{place}: no such file or folder")


class Folder:
    """Files below a folder; hidden ones are left out, links are followed."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._found = list(_walk(str(place), ""))

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        return self._names

    @cached_property
    def _names(self) -> list[str]:
        return sorted(name for name in self._found if not name.endswith("/"))

    def folders(self) -> list[str]:
        """Return the names of all folders below this one with a slash, and "" for itself."""
        return ["", *(name for name in self._found if name.endswith("/"))]

    def read(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of the files wanted, by name."""
        for name in filter(wanted, self._names):
            with open(os.path.join(self.place, name), "rb") as file:
                yield name, file.read()

    def fingerprint(self) -> str:
        """Hash names, sizes and times."""
        stats = (os.stat(os.path.join(self.place, name)) for name in self._names)
        found = zip(self._names, stats, strict=True)
        return short_hash(repr([(name, s.st_size, s.st_mtime_ns) for name, s in found]))


def _walk(folder: str, prefix: str) -> Iterator[str]:
    """List files and, with a slash at their end, folders; no system call for each file."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if entry.name not in _NOT_DATA and not _leads_back(entry):
                    yield f"{prefix}{entry.name}/"
                    yield from _walk(entry.path, f"{prefix}{entry.name}/")
            elif entry.is_file():
                yield prefix + entry.name


def _leads_back(entry: os.DirEntry[str]) -> bool:
    """Tell a link to a folder around it, which would never end."""
    return entry.is_symlink() and Path(entry.path).resolve() in Path(entry.path).absolute().parents


class _Member(NamedTuple):
    """Where a file lies in an archive that is not compressed."""

    start: int
    size: int


class Archive:
    """Files in a tar archive, compressed or not."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        return sorted(self._members)

    def read(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of the files wanted, from front to back."""
        return self._stream(wanted) if self._compressed() else self._jump(wanted)

    def fingerprint(self) -> str:
        """Hash name, size and time of the archive."""
        stat = self.place.stat()
        return short_hash(repr((self.place.name, stat.st_size, stat.st_mtime_ns)))

    @cached_property
    def _members(self) -> dict[str, _Member]:
        """All plain files; links, devices and sparse files are left out."""
        with _opened(self.place) as archive:
            return {
                _clean(member.name): _Member(member.offset_data, member.size)
                for member in archive
                if member.isfile() and not member.issparse()
            }

    def _compressed(self) -> bool:
        with open(self.place, "rb") as file:
            return file.read(6).startswith(_COMPRESSED)

    def _jump(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        with open(self.place, "rb") as file:
            for name, (start, size) in self._members.items():
                if wanted(name):
                    file.seek(start)
                    yield name, file.read(size)

    def _stream(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        with _opened(self.place) as archive:
            for member in archive:
                name = _clean(member.name)
                if name in self._members and wanted(name):
                    file = archive.extractfile(member)
                    assert file is not None  # the members are plain files
                    yield name, file.read()


@contextmanager
def _opened(place: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar file; its every fault becomes one sentence."""
    try:
        with tarfile.open(place, "r|*") as archive:
            yield archive
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{place}: not a readable tar archive, perhaps cut off ({error}); get it again"
        ) from None


def _clean(name: str) -> str:
    return PurePosixPath(name).as_posix().removeprefix("./")


def short_hash(text: str) -> str:
    """Return twelve hexadecimal digits that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
