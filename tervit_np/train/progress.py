"""The progress line of training: rate, time left, loss.

A terminal shows one line that is overwritten; a log file gets a new line every ten seconds.
"""

import time
from typing import TextIO

from data_tools.terminal import StatusLine


class TrainingProgress:
    """Prints progress to `stream` (default: standard error); with `quiet` it prints nothing."""

    def __init__(self, total: int, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.total, self.quiet = total, quiet
        self._line = StatusLine(stream)
        self._every = 0.2 if self._line.terminal else 10.0
        self._started = self._shown = time.monotonic()
        self._images = self._steps = 0
        self._loss = 0.0

    @property
    def rate(self) -> float:
        """Images per second since the start of this process."""
        return self._images / max(time.monotonic() - self._started, 1e-9)

    def step(self, epoch: str, done: int, images: int, loss: float) -> None:
        """Count one step: `done` of `total` in the whole run, in `epoch`, such as "8-bit 1/2"."""
        self._images += images
        self._steps += 1
        self._loss = loss if self._steps == 1 else 0.95 * self._loss + 0.05 * loss
        now = time.monotonic()
        if self.quiet or (now - self._shown < self._every and done < self.total):
            return
        self._shown = now
        seconds_left = (now - self._started) / self._steps * (self.total - done)
        percent = 100 * done / self.total
        self._line.show(
            f"{epoch + ',':<14} run {percent:3.0f} %  {self.rate:6.0f} images/s  "
            f"loss {self._loss:.3f}  {clock(seconds_left)} left"
        )

    def print(self, text: str) -> None:
        """Print a line that stays on the screen."""
        if not self.quiet:
            self._line.keep(text)


def clock(seconds: float) -> str:
    """Format a duration: 0:07, 3:20, 1:04:09."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
