"""Turns of threads: the order of a sum of floats changes its last bits."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class TurnsEnded(Exception):
    """The turn of a thread will not come, since another thread has failed."""


class Turns:
    """Threads do something one after another, in the order of their numbers 0, 1, 2, ..."""

    def __init__(self) -> None:
        self._next, self._ended, self._changed = 0, False, Condition()

    @contextmanager
    def take(self, number: int) -> Iterator[None]:
        """Wait for the turn of a number; afterwards it is that of the next.

        Raises
        ------
        TurnsEnded
            If it will not come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._next == number)
            if self._ended:
                raise TurnsEnded
            yield
            self._next += 1
            self._changed.notify_all()

    def end(self) -> None:
        """Let no thread wait any more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
