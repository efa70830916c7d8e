"""Folders for data: the one that TERVIT_DATA names, and the user's cache folder."""

import os
import secrets
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PARTIAL = ".partial-"  # begins the names of what is renamed when it is complete
_ABANDONED = 24 * 3600  # seconds since the last change to a file whose process must have ended


def data_root(root: str | Path | None = None) -> Path:
    """Return the data folder: `root` if given, else TERVIT_DATA, else the user's cache."""
    if root is not None:
        return Path(root).expanduser()
    named = os.environ.get("TERVIT_DATA")
    return Path(named).expanduser() if named else user_cache()


def user_cache() -> Path:
    """Return our folder in the user's cache folder, which each operating system has elsewhere."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tervit_np"


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
