import time

from tervit_np.bench import interleaved


def test_candidates_take_turns():
    calls = []
    times = interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 4)
    assert "".join(calls) == "aaabbb" + "ab" * 4
    assert list(times) == ["a", "b"]


def test_medians_and_quartiles():
    found = interleaved({"slow": lambda: time.sleep(0.01), "fast": lambda: None}, 5)
    assert 0.009 < found["slow"].median < 0.1
    assert found["fast"].median < 0.005
    assert all(t.low <= t.median <= t.high for t in found.values())
