"""Candidates are timed in turn; a clock of the test's own makes the times exact."""

import itertools

import pytest

from tervit_np.bench import interleaved


class Clock:
    """A clock that stands still but for the candidates."""

    now = 0.0

    def perf_counter(self):
        return self.now

    def work(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("tervit_np.bench.timing.time", clock)
    return clock


def test_candidates_take_turns(clock):
    calls = []

    def candidate(name, seconds):
        return lambda: calls.append(name) or clock.work(seconds)

    candidates = {"a": candidate("a", 0.02), "b": candidate("b", 0.005)}
    times = interleaved(candidates, 3, seconds=0.02)
    turns = ["".join(same) for _, same in itertools.groupby(calls)]
    assert turns[:2] == ["aaa", "bbb"]  # before anything counts
    assert turns[2::2] == ["aa"] * 3  # one to warm up, one that counts
    assert turns[3::2] == ["bbbbb"] * 3  # four that count
    assert times["a"] == pytest.approx((0.02, 0.02, 0.02))
    assert times["b"] == pytest.approx((0.005, 0.005, 0.005))


def test_medians_and_quartiles(clock):
    """The call that warms up in each round is not timed."""
    seconds = iter([9, 9, 1, *(s for timed in (1, 2, 3, 4, 5) for s in (9, timed))])
    times = interleaved({"one": lambda: clock.work(next(seconds))}, 5, seconds=1)
    assert times["one"] == pytest.approx((3, 2, 4))
    assert times["one"]._fields == ("median", "low", "high")
