"""Folders for data: the one that TERVIT_DATA names, and the user's cache folder."""

import errno
import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # numbers of errors for want of space
PARTIAL = ".partial-"  # begins the names of what is renamed when it is complete
_ABANDONED = 24 * 3600  # seconds since the last change to a file whose process must have ended


def data_root(root: str | Path | None = None) -> Path:
    """Return the data folder: `root` if given, else TERVIT_DATA, else the user's cache."""
    if root is None:
        root = os.environ.get("TERVIT_DATA")
    return expand_user(root) if root else user_cache()


def expand_user(path: str | Path) -> Path:
    """Replace a leading ~ by a home folder.

    Raises
    ------
    ValueError
        If there is no such home folder, as for a user without an entry in a container.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"{path}: there is no such home folder; name the folder in full") from None


def user_cache() -> Path:
    """Return our folder in the user's cache folder, which each operating system has elsewhere.

    A user without a home folder gets one in the folder for temporary files.
    """
    try:
        return _cache_folder() / "tervit_np"
    except RuntimeError:
        return _private_folder(Path(tempfile.gettempdir()) / f"tervit_np-{_user()}")


def _cache_folder() -> Path:
    """Return the user's cache folder; an XDG_CACHE_HOME that is not absolute has no meaning.

    So says the XDG Base Directory Specification; ~/.cache in a service's file would make a folder
    called ~ wherever it runs.
    """
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        named = Path(os.environ.get("XDG_CACHE_HOME", ""))
        base = named if named.is_absolute() else Path.home() / ".cache"
    return Path(base)


@cache
def _private_folder(path: Path) -> Path:
    """Make a folder that only this user can write; another name if somebody else has this one.

    The cache holds compiled code: who writes into it can run code as this user.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    status = path.lstat()
    own = stat.S_ISDIR(status.st_mode) and status.st_uid == _user() and not status.st_mode & 0o077
    return path if own else Path(tempfile.mkdtemp(prefix="tervit_np-"))


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def writable_folder(*folders: Path) -> Path | None:
    """Return the first folder that exists or can be created and is writable; None if none is."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    return None


@contextmanager
def removed_if_empty(folder: Path) -> Iterator[None]:
    """Remove `folder`, and those that it is in, if the block makes them and puts nothing there."""
    absent = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    finally:
        for path in absent:  # the innermost first
            with suppress(OSError):  # it is not empty, or was not made
                path.rmdir()


def name_beginning(name: str, longest: int) -> str:
    """Return how a file name begins: the characters that take at most `longest` bytes.

    Windows and macOS have no names that end within a character.
    """
    while len(os.fsencode(name)) > longest:
        name = name[:-1]
    return name


def partial_path(folder: Path) -> Path:
    """Return a random name for a new file or folder, which nobody can have taken before."""
    return folder / f"{PARTIAL}{secrets.token_hex(8)}"


def remove_abandoned(folder: Path) -> None:
    """Remove the partial files and folders that killed processes have left in a folder."""
    for path in folder.glob(f"{PARTIAL}*"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime < _ABANDONED:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def sync_folder(folder: Path) -> None:
    """Write a folder's entries to disk; not all systems can."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
