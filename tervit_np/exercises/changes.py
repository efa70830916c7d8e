"""Wait for a file to be saved: compare its time and size a few times a second."""

import time
from collections.abc import Iterator
from pathlib import Path

PAUSE = 0.3  # seconds
PAUSES_UNTIL_GONE = 10  # a file that is missing for fewer pauses is being replaced


def changes_of(file: Path) -> Iterator[None]:
    """Yield at once, then after every change of the file, and when it stays missing.

    A change during the caller's work is reported afterwards. Some editors replace a file by
    removing it for a moment; that counts as one change.
    """
    reported, missing = None, 0
    while True:
        stamp = _stamp(file)
        missing = missing + 1 if stamp is None else 0
        if missing == PAUSES_UNTIL_GONE or stamp not in (None, reported):
            reported, missing = stamp, 0
            yield
        else:
            time.sleep(PAUSE)


def _stamp(file: Path) -> tuple[int, int] | None:
    """Return time and size of a file; None if it is missing."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size
