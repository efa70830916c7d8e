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
    candidates: dict[str, Callable[[], Any]], rounds: int, least: float = 5e-4
) -> dict[str, Times]:
    """Time all candidates in turn, as they run when calls follow each other.

    A turn begins with a call that does not count: it fetches what the candidate before has driven
    out of the caches, and wakes threads. Those that count go on for `least` seconds, one at least.
    """
    counts = {name: _calls(candidate, least) for name, candidate in candidates.items()}
    seconds = np.empty((rounds, len(candidates)))
    for row in seconds:
        for i, (name, candidate) in enumerate(candidates.items()):
            candidate()
            row[i] = _run(candidate, counts[name]) / counts[name]
    low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75], axis=0)
    return {
        name: Times(float(median[i]), float(low[i]), float(high[i]))
        for i, name in enumerate(candidates)
    }


def _calls(candidate: Callable[[], Any], least: float) -> int:
    """Return how many calls take `least` seconds, found on the third of three."""
    seconds = [_run(candidate, 1) for _ in range(3)][-1]
    return max(1, round(least / max(seconds, 1e-7)))


def _run(candidate: Callable[[], Any], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        candidate()
    return time.perf_counter() - began
