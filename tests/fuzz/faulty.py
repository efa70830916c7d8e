"""Readers that do what no reader may do, to show that the command notices."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.format import Format

GOOD = bytes(range(100))


def _make(folder: Path) -> None:
    (folder / "x").write_bytes(GOOD)


def _faulty(fault: Callable[[bytes], object]) -> Format:
    """Return a format whose reader goes wrong with every file but the good one."""

    def read(folder: Path) -> str:
        content = (folder / "x").read_bytes()
        return "good" if content == GOOD else str(fault(content))

    return Format(_make, read, checked=True)


def _traceback(content: bytes) -> object:
    raise KeyError("x")


def _no_name(content: bytes) -> object:
    raise ValueError("a message that names no file")


def _wait(content: bytes) -> object:
    return time.sleep(3600)


FAULTY = {
    "escaped": _faulty(_traceback),
    "escaped too": _faulty(_no_name),
    "crashes": _faulty(lambda content: os.abort()),
    "hangs": _faulty(_wait),
    "takes too much memory": _faulty(lambda content: len(b"x" * 60_000_000)),
    "takes too long": _faulty(lambda content: sum(range(10**8))),
    "reads something else": _faulty(lambda content: sys.byteorder),
}
