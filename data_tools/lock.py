"""One process for a folder: a lock that the operating system releases when its process ends.

The lock is on the file .lock in the folder, which is removed at the end. With a name it is on
NAME.lock and excludes only those that lock the same name, such as two downloads of one data set. A
lock file that a killed process has left behind is not locked, and is taken over. Two threads of one
process exclude each other too; one thread may lock a folder again.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from data_tools.terminal import note, printable

FILE = ".lock"
POLL_SECONDS = 0.2  # between two looks at a lock that another process holds
_held: dict[Path, int] = {}  # what threads of this process have locked: thread by lock file


@contextmanager
def locked(folder: Path, name: str = "", wait: bool = False) -> Iterator[None]:
    """Lock an existing folder, or a name in it, while the block runs; with `wait`, once it is free.

    Raises
    ------
    ValueError
        If another process, or another thread, has locked it and this does not wait; the message
        names the process.
    OSError
        If the lock file cannot be written.
    """
    path, thread = folder.resolve() / f"{name}{FILE}", threading.get_ident()
    if _held.get(path) == thread:
        yield
        return
    file = _acquire(path, folder / name, wait)
    _held[path] = thread
    try:
        yield
    finally:
        del _held[path]
        if sys.platform == "win32":  # an open file cannot be removed there
            os.close(file)
        with suppress(OSError):  # nor one that a waiting process has opened by now
            path.unlink(missing_ok=True)
        if sys.platform != "win32":
            os.close(file)


def _acquire(path: Path, locked_path: Path, wait: bool) -> int:
    """Open the lock file of a path and lock it.  -> its descriptor."""
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        except OSError as error:
            reason = error.strerror or error
            words = OSError(
                f"nothing can be written to {path.parent} ({reason}); copy it to where you may "
                "write"
            )
            words.errno = error.errno
            raise words from None
        try:
            if not _lock(file):
                if not wait:
                    holder = os.read(file, 100).decode(errors="replace").strip()
                    raise ValueError(
                        f"{locked_path} is in use by {printable(holder) or 'another process'}; "
                        "wait until it has finished, or stop it first"
                    )
                time.sleep(POLL_SECONDS)
            elif _is_current(file, path):
                os.truncate(file, 0)
                os.write(file, f"process {os.getpid()}\n".encode())
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # of another process, or removed by its owner between our two steps


def _is_current(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> bool:
        """Lock a byte far behind the text, which others may then still read."""
        os.lseek(file, 1 << 20, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(file, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _lock(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            note("this file system has no locks: do not run two commands at once in one folder")
        return True
