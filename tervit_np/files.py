"""Atomic writes: after a full disk, Ctrl-C or a power cut the old file is still complete.

The new contents are written to a partial file in the same folder, which then replaces the old file.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield the path of a partial file, which replaces `path` if the block ends without an error.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written; the partial file is deleted.
    """
    check_writable(path)
    target = Path(path).resolve()  # a link stays a link
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())  # the contents must be on disk before the rename
        os.replace(partial, target)
    except OSError as error:
        reason = error.strerror or error
        raise OSError(f"{path} could not be written ({reason})") from None
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")


def check_writable(path: str | Path) -> None:
    """Check that a file can be written, before long work is done for it.

    Raises
    ------
    OSError
        If the path is a folder or a device, or its folder is absent or read-only.
    """
    path = Path(path)
    if path.is_dir():
        raise OSError(f"{path} is a folder; expected the name of a file to write")
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is not a regular file and is not replaced")
    if not path.parent.is_dir():
        raise OSError(f"{path} could not be written (there is no folder {path.parent})")
    if not os.access(path.parent, os.W_OK):
        raise OSError(f"{path} could not be written (its folder is read-only)")
