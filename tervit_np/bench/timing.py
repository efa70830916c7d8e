"""Honest times: rivals take turns, so that a slow moment of the machine hits all of them."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Times(NamedTuple):
    """Seconds of one candidate over all rounds."""

    median: float
    low: float  # first quartile
    high: float  # third quartile


def interleaved(
    candidates: dict[str, Callable[[], Any]], rounds: int, warm: bool = False
) -> dict[str, Times]:
    """Time all candidates in turn, after three calls of each that do not count.

    With `warm`, each timed call comes right after one that does not count: on several threads,
    those of some rivals go on waiting in a loop when their work is done, and sleeping ones take
    long to wake.
    """
    for candidate in candidates.values():
        for _ in range(3):
            candidate()
    seconds = np.empty((rounds, len(candidates)))
    for row in seconds:
        for i, candidate in enumerate(candidates.values()):
            if warm:
                candidate()
            began = time.perf_counter()
            candidate()
            row[i] = time.perf_counter() - began
    low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75], axis=0)
    return {
        name: Times(float(median[i]), float(low[i]), float(high[i]))
        for i, name in enumerate(candidates)
    }
