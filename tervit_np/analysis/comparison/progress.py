"""Progress of a comparison: the running trial, the percentage of steps done, the time left.

During the search the number of steps is a lower bound: it assumes that all arms will choose the
same multiplier and share stages. After the search it is exact. The time left does not count the
first step, in which functions are compiled.
"""

import time

from data_tools.terminal import StatusLine
from tervit_np.train.progress import clock


class Progress:
    """Prints to standard error: one line that is rewritten on a terminal, else one a minute."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.remaining = 0  # steps
        self.trial = ""
        self._line = StatusLine()
        self._done = self._untimed = 0
        self._start = self._shown = time.monotonic()

    def set_remaining(self, steps: int) -> None:
        """Set the number of remaining steps."""
        self.remaining = steps

    def start_trial(self, trial: str) -> None:
        """Set the running trial and show it."""
        self.trial = trial
        self._show()

    def step(self, _: int) -> None:
        """Count one step of training."""
        if self._done == 0:
            self._start, self._untimed = time.monotonic(), 1
        self._done += 1
        self.remaining = max(self.remaining - 1, 0)
        if time.monotonic() - self._shown > (0.5 if self._line.terminal else 60):
            self._show()

    def finish(self, trial: str, steps: int) -> None:
        """Count the steps of a stage of a trial that another process has trained."""
        self.trial = trial
        self._done += steps
        self.remaining = max(self.remaining - steps, 0)
        self._show()

    def end(self) -> None:
        """Erase the line, if a terminal shows one."""
        if not self.quiet:
            self._line.erase()

    def _show(self) -> None:
        self._shown = time.monotonic()
        if self.quiet:
            return
        percent = 100 * self._done / max(self._done + self.remaining, 1)
        text = f"{percent:3.0f} %  {self.trial}"
        if timed := self._done - self._untimed:
            text += f"  {clock((self._shown - self._start) / timed * self.remaining)} left"
        self._line.show(text)
