"""Notice that a file was saved, by asking for its time and length a few times a second."""

import time
from collections.abc import Iterator
from pathlib import Path

PAUSE = 0.3  # seconds
PAUSES_UNTIL_GONE = 10  # pauses after which a file is gone for good


def saves(file: Path) -> Iterator[None]:
    """Yield at once, then after every change of the file, and when it is gone.

    What is saved while the caller is at work is noticed afterwards. A file that is gone for a
    moment, as some editors do it, is waited for.
    """
    seen, absent = None, 0
    while True:
        now = _stamp(file)
        absent = absent + 1 if now is None else 0
        if absent == PAUSES_UNTIL_GONE or now not in (None, seen):
            seen, absent = now, 0
            yield
        else:
            time.sleep(PAUSE)


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size
