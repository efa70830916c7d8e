"""One interface to the files of a folder and of a tar archive.

Archives are read in place, never unpacked, so that no file name in them can write outside a folder.
Hidden files are left out, and what operating systems and file servers add: thumbnails, waste bins.
"""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

from data_tools.imageset import DataError
from data_tools.paths import name_beginning
from data_tools.tar import contents, members

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_OTHER_ARCHIVES = (".zip", ".7z", ".rar", ".gz", ".bz2", ".xz", ".zst", ".parquet")
_ADDED = ("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information",
          "lost+found", "Thumbs.db", "desktop.ini")  # fmt: skip
DEEPEST = 64  # folders in each other
_CACHES = ("decoded", "indexes")  # our own, in data folders
_NAME_BYTES = 160  # of a folder's name that its caches repeat; names end at 255


class Files(Protocol):
    """Names, with forward slashes, and contents of the files in a folder or an archive."""

    path: Path

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""

    def specials(self) -> list[str]:
        """Return the names of what cannot be read as a file: links and devices."""

    def empty_folders(self) -> list[str]:
        """Return the folders without files, as "name/", as far as they are known."""

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
        advice = "; unpack it into a folder" * path.name.lower().endswith(_OTHER_ARCHIVES)
        raise DataError(f"{path}: expected a folder or an archive ({', '.join(ARCHIVES)}){advice}")
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
        self._names: list[str] = []
        self._specials: list[str] = []
        self._folders = {"": True}  # name with a slash at the end: whether it is empty
        try:
            self._walk(str(path), "")
        except OSError as error:
            raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from None
        self._names.sort()

    def _walk(self, folder: str, prefix: str) -> None:
        """List a folder and those below it, without a system call for each file."""
        if prefix.count("/") > DEEPEST:
            raise DataError(f"{self.path}: more than {DEEPEST} folders in each other")
        with os.scandir(folder) as entries:
            for entry in entries:
                name = f"{prefix}{entry.name}"
                if _is_added(entry.name):
                    continue
                if _leads_nowhere(entry):
                    self._folders[prefix] = False
                    self._specials.append(name)
                    continue
                if entry.is_dir():
                    if not _is_cycle(entry) and not _is_cache(entry):
                        self._folders |= {prefix: False, f"{name}/": True}
                        self._walk(entry.path, f"{name}/")
                    continue
                self._folders[prefix] = False
                (self._names if entry.is_file() else self._specials).append(name)

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        return self._names

    def specials(self) -> list[str]:
        """Return the names of links that lead nowhere, pipes and devices."""
        return self._specials

    def empty_folders(self) -> list[str]:
        """Return the folders without files, as "name/"."""
        return [name for name, is_empty in self._folders.items() if is_empty]

    def folders(self) -> list[str]:
        """Return this folder as "" and those below it as "name/"."""
        return list(self._folders)

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


def _is_added(name: str) -> bool:
    """Return whether a file or folder is hidden, or not the user's own."""
    return name.startswith(".") or name in _ADDED


def _leads_nowhere(entry: os.DirEntry[str]) -> bool:
    """Return whether the entry is a link to nothing, or one of links that lead to each other."""
    if not entry.is_symlink():
        return False
    try:
        entry.stat()
    except OSError as error:  # one without permission is an error of the walk
        return error.errno in (errno.ENOENT, errno.ELOOP)
    return False


def _is_cycle(entry: os.DirEntry[str]) -> bool:
    """Return whether the entry is a link to one of the folders that the walk came through.

    Each of these may have been reached by a link, too, so all are compared without links.
    """
    if not entry.is_symlink():
        return False
    target, above = Path(entry.path).resolve(), Path(entry.path).absolute().parents
    return any(target == folder.resolve() for folder in above)


def _is_cache(entry: os.DirEntry[str]) -> bool:
    """Return whether the entry is one of our caches, and not a class of that name."""
    return entry.name in _CACHES and all(
        name.startswith(".")
        or name.endswith((".list", ".npz"))
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
    def _is_plain(self) -> dict[str, bool]:
        """Whether each member that is not hidden is a plain file, by name."""
        is_plain: dict[str, bool] = {}
        for member in members(self.path):
            name = _normalized(member.name)
            if any(map(_is_added, name.split("/"))):
                continue
            if name in is_plain:
                raise DataError(f"{self.path}: two files are named {name}; expected one")
            is_plain[name] = member.is_plain
        return is_plain

    @cached_property
    def _names(self) -> list[str]:
        return sorted(name for name, is_plain in self._is_plain.items() if is_plain)

    def specials(self) -> list[str]:
        """Return the names of links, devices and files with holes."""
        return [name for name, is_plain in self._is_plain.items() if not is_plain]

    def empty_folders(self) -> list[str]:
        """Return no name: an archive need not list its folders."""
        return []

    def read(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of the wanted files, in the order of the archive."""
        own = set(self._names)

        def is_wanted(name: str) -> bool:
            return _normalized(name) in own and wanted(_normalized(name))

        for name, content in contents(self.path, is_wanted):
            yield _normalized(name), content


def _normalized(name: str) -> str:
    return PurePosixPath(name).as_posix().removeprefix("./")


def cache_name(path: Path) -> str:
    """Return a name for what is cached of a path: how its own name begins, and a hash of it all."""
    absolute = path.resolve()
    return f"{name_beginning(absolute.name, _NAME_BYTES)}-{short_hash(str(absolute))}"


def short_hash(text: str) -> str:
    """Return the first twelve hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]
