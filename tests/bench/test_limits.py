import numpy as np
import pytest

pytest.importorskip("numba")
from tervit_np.bench import limits  # noqa: E402


def test_every_number_is_read():
    """Changing any number changes the result (numbers after the last whole step are not read)."""
    size = limits._CHAINS * limits.LANES
    data = np.zeros(3 * size, np.int32)
    assert limits.read(data, 1) == 0
    for index in (0, size // 2 + 1, 3 * size - 1):
        data[:] = 0
        data[index] = 5
        assert limits.read(data, 1) == 5
        assert limits.read(data, 2) == 0  # 5 xor 5


def test_every_chain_is_computed():
    """Chain i starts at i / 2; one step makes it (i / 2) / 2 + 1/2."""
    expected = sum((i / 2) * 0.5 + 0.5 for i in range(limits._CHAINS))
    assert limits.fused_multiply_adds(1, 0.5) == expected
    assert limits.fused_multiply_adds(50, 0.5) == pytest.approx(limits._CHAINS)


def test_measured_speeds_are_positive(monkeypatch):
    monkeypatch.setattr(limits, "MEMORY_LEVELS", {"L1": 3 * 2**13, "memory": 3 * 2**15})
    measured = limits.measure_limits(rounds=3)
    assert list(measured.read) == ["L1", "memory"]
    assert min(*measured.read.values(), measured.float32) > 0
