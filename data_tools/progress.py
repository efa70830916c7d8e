"""A progress line on standard error, at most once a second, so that short work prints none."""

import time

from data_tools.terminal import StatusLine


class Progress:
    """Prints progress towards `total`: on a terminal in one line, else in a line each time.

    `done` units exist at the start, for example of a resumed download; they do not count as speed.
    Nor do the first ones that are made: in them functions are compiled and processes start.
    """

    def __init__(self, total: float, done: float = 0) -> None:
        self.total, self.started_at = total, done
        self._created = self.began = self.last = time.monotonic()
        self._first = True
        self._line = StatusLine()

    def count(self, done: float) -> None:
        """Count units that are done, from the first of which on the speed is taken."""
        if self._first and done > self.started_at:
            self._first, self.began, self.started_at = False, time.monotonic(), done

    def due(self, done: float) -> bool:
        """Count units that are done; return whether a second has passed since the last line."""
        self.count(done)
        return time.monotonic() - self.last >= 1

    def show(self, text: str) -> None:
        """Print a line."""
        self.last = time.monotonic()
        self._line.show(text)

    def rate(self, done: float) -> float:
        """Return the speed since the first units, in units per second; 0 until there are more."""
        return (done - self.started_at) / max(time.monotonic() - self.began, 1e-9)

    def time_left(self, done: float) -> str:
        """Return the time that the remaining units take at the speed so far."""
        if done <= self.started_at:
            return "time left unknown"
        seconds = (self.total - done) / self.rate(done)
        return f"{seconds:.0f} s left" if seconds < 100 else f"{seconds / 60:.0f} min left"

    def end(self) -> None:
        """Erase the line, if a terminal shows one."""
        if self.last > self._created:
            self._line.erase()

    @property
    def terminal(self) -> bool:
        """Whether the line is rewritten."""
        return self._line.terminal
