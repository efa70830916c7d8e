"""Process-wide settings that `with` blocks change and restore.

Blocks in several threads may overlap: one begins, a second one begins, the first one ends. If each
restored what it found, the process would end with the first block's value. Here the latest block
that is still open decides, and when none is open the setting is as it was before the first.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class _Request(Generic[T]):
    """The value that one block asks for."""

    def __init__(self, value: T) -> None:
        self.value = value


class Setting(Generic[T]):
    """A setting of the process, with functions that read and write it."""

    def __init__(self, read: Callable[[], T], write: Callable[[T], None]) -> None:
        self._read, self._write = read, write
        self._open: list[_Request[T]] = []  # of the blocks that have not ended, oldest first
        self._lock = threading.Lock()

    @contextmanager
    def use(self, value: T) -> Iterator[None]:
        """Run the enclosed lines, in all threads, with this value."""
        request = _Request(value)
        with self._lock:
            if not self._open:
                self._before = self._read()
            self._write(value)
            self._open.append(request)  # not if the value was refused
        try:
            yield
        finally:
            with self._lock:
                self._open.remove(request)
                self._write(self._open[-1].value if self._open else self._before)
