"""Files written whole or not at all: a full disk, Ctrl-C or a power cut leaves what stood there.

What is new goes into a partial file beside the old one and takes its place in one step.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Give a place to write to; what lies there becomes `path` when the block ends without error.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written; no partial file stays behind.
    """
    check_writable(path)
    target = Path(path).resolve()  # a link stays a link
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())  # contents first, then the name
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
    """Refuse a name under which no file can be written, before long work is done for it.

    Raises
    ------
    OSError
        If it is a folder, a device or the like, or lies where nothing can be written.
    """
    path = Path(path)
    if path.is_dir():
        raise OSError(f"{path} is a folder; expected the name of a file to write")
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is no regular file and is not replaced by one")
    if not path.parent.is_dir():
        raise OSError(f"{path} could not be written (there is no folder {path.parent})")
    if not os.access(path.parent, os.W_OK):
        raise OSError(f"{path} could not be written (its folder is read-only)")
