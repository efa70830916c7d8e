"""Notice that a file was saved, by asking for its time and length a few times a second."""

import time
from collections.abc import Iterator
from pathlib import Path

PAUSE = 0.3  # seconds


def saves(file: Path) -> Iterator[None]:
    """Yield at once, then after every change of the file.

    What is saved while the caller is at work is noticed afterwards. A file that is gone for a
    moment, as some editors do it, is waited for.
    """
    seen = None
    while True:
        now = _stamp(file)
        if now is None or now == seen:
            time.sleep(PAUSE)
        else:
            seen = now
            yield


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size
