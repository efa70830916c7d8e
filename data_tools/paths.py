"""Folders for data: the one that TERVIT_DATA names, and the user's cache folder."""

import os
import sys
import tempfile
from pathlib import Path


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
