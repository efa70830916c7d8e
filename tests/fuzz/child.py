"""The process that reads files and may die of it: one line with a format and a path at a time."""

import ctypes
import json
import os
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import IO

from data_tools import DataError, NoSuchSplit
from tests.fuzz.faulty import FAULTY
from tests.fuzz.formats import FORMATS

MAX_MEMORY = 6 << 30  # bytes of addresses: beyond it, MemoryError
MAX_WORDS = 5000  # characters of a message
OWN_ERRORS = (ValueError, DataError, NoSuchSplit)  # these classes, not those derived from them


def main(answers: IO[str]) -> None:
    """Answer each line of standard input with one of JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    for line in sys.stdin:
        name, path = line.rstrip("\n").split("\t")
        print(json.dumps(read(name, Path(path))), file=answers, flush=True)


def read(name: str, path: Path) -> dict[str, object]:
    """Read a folder or a file.  -> how it ended, the time and the memory that it took."""
    _reset_peak()
    before, start = _memory("VmRSS:"), time.process_time()
    try:
        ended, words = "read", (FORMATS | FAULTY)[name].read(path)
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        is_own = type(error) in OWN_ERRORS and 0 < len(str(error)) < MAX_WORDS
        ended = "refused" if is_own and str(path) in str(error) else "escaped"
        if ended == "escaped":
            words += "\n" + traceback.format_exc(-3)[:3000]
    seconds, grown = time.process_time() - start, _memory("VmHWM:") - before
    return {"ended": ended, "words": words, "seconds": seconds, "bytes": grown}


def _reset_peak() -> None:
    """Return free memory to the system, and let the peak begin anew (Linux)."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def _memory(key: str) -> int:
    """Return a size in /proc/self/status in bytes."""
    return 1024 * int(Path("/proc/self/status").read_text().split(key)[1].split()[0])


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what readers print is not an answer
    main(answers)
