import math

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from tervit_np.compiled.gaussian import cumulative  # noqa: E402


@numba.njit
def all_cumulative(x):
    y = np.empty_like(x)
    for i in range(x.size):
        y[i] = cumulative(x[i])
    return y


def test_the_cumulative_is_accurate():
    x = np.linspace(-15, 15, 300_001).astype(np.float32)
    y = all_cumulative(x)
    exact = np.array([0.5 * math.erfc(-a / math.sqrt(2)) for a in x.astype(np.float64)])
    assert np.abs(y - exact).max() < 2e-7
    np.testing.assert_allclose(y + y[::-1], 1, atol=1e-7)
    assert y.min() > -1e-7
    assert y.max() <= 1


def test_the_cumulative_is_zero_far_below():
    """GELU multiplies it by x: 1e-8 would not be small."""
    assert (all_cumulative(np.array([-6, -1e4, -1e30], np.float32)) == 0).all()
    np.testing.assert_allclose(all_cumulative(np.array([6, 1e4, np.inf], np.float32)), 1, atol=2e-7)
