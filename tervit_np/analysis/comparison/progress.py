"""How far a comparison is: the trial that runs, its share of all steps, and the time left.

Before the choice the number of steps is a guess (the fewest that there can be: all arms choose the
same multiplier and share what they can); after it, exact.
"""

import sys
import time

from tervit_np.train.progress import clock


class Progress:
    """Prints to standard error; on a terminal one line renews itself, elsewhere one a minute."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.left = 0  # steps
        self.trial = ""
        self._terminal = sys.stderr.isatty()
        self._done = 0
        self._began = self._shown = time.monotonic()

    def expect(self, steps: int) -> None:
        """Set how many steps are left."""
        self.left = steps

    def begin(self, trial: str) -> None:
        """Name the trial that runs."""
        self.trial = trial
        self._show()

    def step(self, _: int) -> None:
        """Count one step of training."""
        self._done += 1
        self.left = max(self.left - 1, 0)
        if time.monotonic() - self._shown > (0.5 if self._terminal else 60):
            self._show()

    def _show(self) -> None:
        self._shown = time.monotonic()
        if self.quiet:
            return
        share = 100 * self._done / max(self._done + self.left, 1)
        text = f"{share:3.0f} %  {self.trial}"
        if self._done:
            text += f"  {clock((self._shown - self._began) / self._done * self.left)} left"
        sys.stderr.write(f"\r\x1b[K{text}" if self._terminal else f"{text}\n")
        sys.stderr.flush()
