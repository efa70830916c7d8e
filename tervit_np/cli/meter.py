"""The progress of a measurement that is stored part by part, and its end after Ctrl-C."""

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tervit_np.train.interrupt import StopRequest


class Meter:
    """Counts forward passes, prints the time left, raises Interrupted after Ctrl-C."""

    def __init__(self, total: float, images: int, stop: "StopRequest", quiet: bool) -> None:
        from data_tools.progress import Progress

        self.progress, self.total, self.images = Progress(total), total, images
        self.stop, self.quiet = stop, quiet
        self.done = 0.0

    def add(self, name: str, passes: float, is_new: bool) -> None:
        """Count a result that was computed now, or read from disk."""
        from data_tools.terminal import shell_line
        from tervit_np.train.interrupt import Interrupted

        self.done += passes
        if is_new:
            self.progress.count(self.done)
        else:
            self.progress.started_at += passes
        if self.stop.requested:
            raise Interrupted(
                f"stopped at {100 * self.done / self.total:.0f} %; the measurements are saved; "
                f"the same command continues:\n  {shell_line(['tervit', *sys.argv[1:]])}"
            )
        wait = 0.3 if self.progress.terminal else 10
        if not self.quiet and time.monotonic() - self.progress.last >= wait:
            rate = self.images * self.progress.rate(self.done)
            speed = f"{rate:6.0f} images/s  " if rate else ""
            self.progress.show(
                f"{name:<24} {100 * self.done / self.total:3.0f} %  {speed}"
                f"{self.progress.time_left(self.done)}"
            )
