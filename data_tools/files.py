"""Files in a folder or in a tar archive, read by name in one way.

Archives are read, never unpacked, so their names can write nowhere.
"""

import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

from data_tools.imageset import DataError

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class Files(Protocol):
    """Names and contents; names use forward slashes."""

    place: Path

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""

    def read(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of the files wanted."""

    def fingerprint(self) -> str:
        """Return a short word that changes when the files do."""


class Folder:
    """Files below a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._stats: dict[str, tuple[int, int]] = {}
        for folder, subfolders, files in os.walk(place):
            subfolders[:] = sorted(s for s in subfolders if s not in ("decoded", "__MACOSX"))
            for file in files:
                if not file.startswith("."):
                    path = Path(folder, file)
                    stat = path.stat()
                    self._stats[path.relative_to(place).as_posix()] = stat.st_size, stat.st_mtime_ns

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        return sorted(self._stats)

    def read(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of the files wanted."""
        for name in self.names():
            if wanted(name):
                yield name, (self.place / name).read_bytes()

    def fingerprint(self) -> str:
        """Hash names, sizes and times."""
        return _short_hash(repr(sorted(self._stats.items())))


class Archive:
    """Files in a tar archive, compressed or not."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        with self._open() as archive:
            return sorted(_clean(member.name) for member in archive if member.isfile())

    def read(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of the files wanted, in one pass from front to back."""
        with self._open() as archive:
            for member in archive:
                name = _clean(member.name)
                file = archive.extractfile(member) if member.isfile() and wanted(name) else None
                if file is not None:
                    yield name, file.read()

    def fingerprint(self) -> str:
        """Hash name, size and time of the archive."""
        stat = self.place.stat()
        return _short_hash(repr((self.place.name, stat.st_size, stat.st_mtime_ns)))

    def _open(self) -> "_Opened":
        return _Opened(self.place)


class _Opened:
    """A tar file whose every fault becomes one sentence."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __enter__(self) -> tarfile.TarFile:
        try:
            self._archive = tarfile.open(self.place, "r|*")
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise self._damaged(error) from None
        return self._archive

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._archive.close()
        if isinstance(error, tarfile.TarError | OSError | EOFError | zlib.error):
            raise self._damaged(error) from None

    def _damaged(self, error: BaseException) -> DataError:
        return DataError(f"{self.place}: not a readable tar archive, perhaps cut off ({error})")


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


def _clean(name: str) -> str:
    return PurePosixPath(name).as_posix().removeprefix("./")


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
