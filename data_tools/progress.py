"""A line of progress on standard error, at most once a second, so quick work stays silent."""

import sys
import time


class Progress:
    """Counts towards a total; on a terminal one line is overwritten, elsewhere lines follow."""

    def __init__(self, total: float, done: float = 0) -> None:
        self.total, self.started_at = total, done
        self.began = self.last = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def due(self) -> bool:
        """Tell whether it is time for a line."""
        return time.monotonic() - self.last >= 1

    def show(self, text: str) -> None:
        """Print a line."""
        self.last = time.monotonic()
        sys.stderr.write(f"\r\x1b[K{text}" if self.terminal else f"{text}\n")
        sys.stderr.flush()

    def rate(self, done: float) -> float:
        """Return the speed since the start, in units a second."""
        return (done - self.started_at) / max(time.monotonic() - self.began, 1e-9)

    def left(self, done: float) -> str:
        """Say how long the rest takes at the speed so far."""
        if done <= self.started_at:
            return "time left unknown"
        seconds = (self.total - done) / self.rate(done)
        return f"{seconds:.0f} s left" if seconds < 100 else f"{seconds / 60:.0f} min left"

    def end(self) -> None:
        """Clear the line that was overwritten."""
        if self.terminal and self.last > self.began:
            sys.stderr.write("\r\x1b[K")
