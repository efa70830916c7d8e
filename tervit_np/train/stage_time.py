"""How long a stage has trained: by the clock, and in CPU time."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class StageTime:
    """Seconds of training steps, of checks of the weights and of validation.

    Pauses, other programs and more threads change the time by the clock, and hardly CPU time. That
    is the sum over all threads of this process, also of another training in it, but not over the
    processes that decode pictures, nor over other ranks.
    """

    seconds: float = 0.0
    cpu_seconds: float | None = 0.0  # None if an earlier version began the stage

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add the time of the block."""
        began, cpu_began = time.monotonic(), time.process_time()
        yield
        self.seconds += time.monotonic() - began
        if self.cpu_seconds is not None:
            self.cpu_seconds += time.process_time() - cpu_began


def total_time(times: Sequence[float | None]) -> float | None:
    """Add the times of stages; None where one is unknown."""
    known = [time for time in times if time is not None]
    return sum(known) if len(known) == len(times) else None
