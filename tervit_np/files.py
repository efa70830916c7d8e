"""Atomic writes: after a full disk, Ctrl-C or a power cut the old file is still complete.

The new contents are written to a partial file in the same folder, which then replaces the old file.
The partial file has a random name and is created anew, never through a link, so that whoever can
write to the folder cannot choose what is overwritten.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from data_tools.paths import name_beginning

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_CREATE |= getattr(os, "O_BINARY", 0)  # Windows
_NAME_BYTES = 200  # of the target's name that the partial file repeats; names end at 255


def as_path(path: str | Path, name: str = "path") -> Path:
    """Return an argument as a Path; ValueError if it is neither text nor a Path."""
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"{name} is {path!r}; expected a text or a Path")
    return Path(path)


@contextmanager
def atomic_write(path: str | Path) -> Iterator[IO[bytes]]:
    """Yield a binary file, which replaces `path` if the block ends without an error.

    The new file has the permissions of the old one, or those of any new file.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written; the partial file is deleted.
    """
    check_writable(path)
    target = Path(path).resolve()  # a link stays a link
    name = name_beginning(target.name, _NAME_BYTES)
    partial = target.with_name(f".{name}.{secrets.token_hex(8)}.partial")
    try:
        with _create(partial, target) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # the contents must be on disk before the rename
        os.replace(partial, target)
    except OSError as error:
        raise _in_words(error, path) from None
    finally:
        partial.unlink(missing_ok=True)


def _in_words(error: OSError, path: str | Path) -> OSError:
    """Name the file; the error keeps its number, which tells a full disk from other reasons."""
    words = OSError(f"{path} could not be written ({error.strerror or error})")
    words.errno = error.errno
    return words


def _create(partial: Path, target: Path) -> IO[bytes]:
    """Create a file that did not exist, with the permissions of `target`."""
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    number = os.open(partial, _CREATE, 0o666 if mode is None else mode)
    if mode is not None and hasattr(os, "fchmod"):
        with suppress(PermissionError):  # file systems without permissions
            os.fchmod(number, mode)
    return open(number, "wb")


def make_folder(path: str | Path) -> None:
    """Make a folder, and those that it is in, unless there is one.

    Raises
    ------
    OSError
        If there is a file of this name, or the folder cannot be made.
    """
    path = as_path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        taken = isinstance(error, FileExistsError)
        reason = "a file, or a link to nothing, has this name" if taken else error.strerror or error
        words = OSError(f"the folder {path} could not be made ({reason}); choose another one")
        words.errno = error.errno
        raise words from None


def require_file(path: str | Path) -> None:
    """Check that a path is that of a file which can be read in several places.

    Raises
    ------
    ValueError
        If there is none, or it is a folder, a pipe or a device.
    """
    path = as_path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it")
    if not path.is_file():
        found = "is not a regular file" if path.exists() else "no such file"
        raise ValueError(f"{path}: {found}")


def read_bounded(path: str | Path, longest: int) -> bytes:
    """Read a file that must be short; of a longer one, or a device without end, no more is read.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it has more than `longest` bytes.
    """
    with open(path, "rb") as file:
        content = file.read(longest + 1)
    if len(content) > longest:
        raise ValueError(f"it has more than {longest} bytes")
    return content


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8."""
    with atomic_write(path) as file:
        file.write(text.encode())


def check_writable(path: str | Path) -> None:
    """Check that a file can be written, before long work is done for it.

    Of a link, what counts is the folder of the file that it leads to.

    Raises
    ------
    OSError
        If the path is a folder or a device, or its folder is absent or read-only, or its links
        lead in a circle.
    """
    path = as_path(path)
    if path.is_dir():
        raise OSError(f"{path} is a folder; expected the name of a file to write")
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is not a regular file and is not replaced")
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if target.is_symlink():
        raise OSError(f"{path} could not be written (its links lead in a circle)")
    if not target.parent.is_dir():
        raise OSError(f"{path} could not be written (there is no folder {target.parent})")
    if not os.access(target.parent, os.W_OK):
        raise OSError(f"{path} could not be written (its folder is read-only)")
