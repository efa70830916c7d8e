"""The progress line of training: rate, time left, loss.

A terminal shows one line that is overwritten; a log file gets a new line every ten seconds. Rate
and time left are those of the last minute: stages differ in speed, and other programs may have
slowed a run down or stopped it. The first step, in which functions are compiled, does not count.
"""

import time
from collections import deque
from typing import TextIO

from data_tools.terminal import StatusLine

RECENT = 60.0  # seconds


class TrainingProgress:
    """Prints progress to `stream` (default: standard error); with `quiet` it prints nothing."""

    def __init__(self, total: int, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.total, self.quiet = total, quiet
        self._line = StatusLine(stream)
        self._every = 0.2 if self._line.terminal else 10.0
        self._shown = time.monotonic()
        self._images = self._steps = 0
        self._recent = deque([(self._shown, 0, 0)])  # time, images, steps; the oldest comes first
        self._loss = 0.0

    @property
    def rate(self) -> float:
        """Images per second, recently."""
        began, images, _ = self._recent[0]
        return (self._images - images) / max(time.monotonic() - began, 1e-9)

    def step(self, epoch: str, done: int, images: int, loss: float) -> None:
        """Count one step: `done` of `total` in the whole run, in `epoch`, such as "8-bit 1/2"."""
        self._images += images
        self._steps += 1
        self._loss = loss if self._steps == 1 else 0.95 * self._loss + 0.05 * loss
        now = time.monotonic()
        self._recent.append((now, self._images, self._steps))
        if self._steps == 2:
            self._recent.popleft()  # the beginning of the first step
        while now - self._recent[1][0] > RECENT:
            self._recent.popleft()
        if self.quiet or (now - self._shown < self._every and done < self.total):
            return
        self._shown = now
        percent = 100 * done / self.total
        head, average = f"{epoch + ',':<14} run {percent:3.0f} %", f"loss {self._loss:.3f}"
        if self._steps == 1 and done < self.total:
            self._line.show(f"{head}  {average}  time left unknown")
            return
        began, _, steps = self._recent[0]
        seconds_left = (now - began) / (self._steps - steps) * (self.total - done)
        self._line.show(f"{head}  {self.rate:6.0f} images/s  {average}  {clock(seconds_left)} left")

    def print(self, text: str) -> None:
        """Print a line that stays on the screen."""
        if not self.quiet:
            self._line.keep(text)


def clock(seconds: float) -> str:
    """Format a duration: 0:07, 3:20, 1:04:09."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
