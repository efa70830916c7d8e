import numpy as np
import pytest

pytest.importorskip("numba")
from tervit_np.bench import limits  # noqa: E402


def test_everything_is_read():
    """A number in any place changes the answer; whole steps only are read."""
    size = limits._CHAINS * limits._LANES
    data = np.zeros(3 * size, np.int32)
    assert limits.read(data, 1) == 0
    for place in (0, size // 2 + 1, 3 * size - 1):
        data[:] = 0
        data[place] = 5
        assert limits.read(data, 1) == 5
        assert limits.read(data, 2) == 0  # 5 xor 5


def test_no_chain_is_spared():
    """Chain i begins at i / 2, and one step makes it (i / 2) / 2 + 1/2."""
    expected = sum((i / 2) * 0.5 + 0.5 for i in range(limits._CHAINS))
    assert limits.fused_multiply_adds(1, 0.5) == expected
    assert limits.fused_multiply_adds(50, 0.5) == pytest.approx(limits._CHAINS)


def test_speeds(monkeypatch):
    monkeypatch.setattr(limits, "PLACES", {"L1": 3 * 2**13, "memory": 3 * 2**15})
    found = limits.measure(rounds=3)
    assert list(found.read) == ["L1", "memory"]
    assert min(*found.read.values(), found.float32) > 0
