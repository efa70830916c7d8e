import itertools
import time

from tervit_np.bench import interleaved


def test_candidates_take_turns():
    calls = []

    def candidate(name, seconds):
        def call():
            calls.append(name)
            time.sleep(seconds)

        return call

    times = interleaved({"a": candidate("a", 0.02), "b": candidate("b", 0.005)}, 3, seconds=0.02)
    turns = ["".join(same) for _, same in itertools.groupby(calls)]
    assert turns[:2] == ["aaa", "bbb"]  # before anything counts
    assert turns[2::2] == ["aa"] * 3  # one to warm up, one that counts
    assert all(3 <= len(turn) <= 5 for turn in turns[3::2])
    assert 0.02 <= times["a"].median < 0.04
    assert 0.005 <= times["b"].median < 0.01


def test_medians_and_quartiles():
    times = interleaved({"slow": lambda: time.sleep(0.01), "fast": lambda: None}, 5)
    assert 0.009 < times["slow"].median < 0.1
    assert times["fast"].median < 0.005
    assert all(t.low <= t.median <= t.high for t in times.values())
