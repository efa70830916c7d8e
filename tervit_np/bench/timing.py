"""Times of several candidates in turn, so that a slow moment of the machine slows all of them."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Times(NamedTuple):
    """Seconds for a call of one candidate, over all rounds."""

    median: float
    low: float  # first quartile
    high: float  # third quartile


def interleaved(
    candidates: dict[str, Callable[[], Any]], rounds: int, seconds: float = 5e-4
) -> dict[str, Times]:
    """Time all candidates, one after the other in each round.

    A candidate's turn begins with a call that is not timed: it loads into the caches what the
    previous candidate has evicted, and wakes threads. Timed calls follow for about `seconds`.
    """
    counts = {name: _calls(candidate, seconds) for name, candidate in candidates.items()}
    samples = np.empty((rounds, len(candidates)))
    for row in samples:
        for i, (name, candidate) in enumerate(candidates.items()):
            candidate()
            row[i] = _run(candidate, counts[name]) / counts[name]
    low, median, high = np.quantile(samples, [0.25, 0.5, 0.75], axis=0)
    return {
        name: Times(float(median[i]), float(low[i]), float(high[i]))
        for i, name in enumerate(candidates)
    }


def _calls(candidate: Callable[[], Any], seconds: float) -> int:
    """Return how many calls take so many seconds, estimated from the third call."""
    third = [_run(candidate, 1) for _ in range(3)][-1]
    return max(1, round(seconds / max(third, 1e-7)))


def _run(candidate: Callable[[], Any], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        candidate()
    return time.perf_counter() - start
