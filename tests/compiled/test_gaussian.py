import math

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from tervit_np.compiled import gaussian  # noqa: E402
from tervit_np.compiled.gaussian import cumulative  # noqa: E402


@numba.njit
def all_cumulative(x):
    y = np.empty_like(x)
    for i in range(x.size):
        y[i] = cumulative(x[i])
    return y


LAST_PLACES = 4 * 2.0**-24  # without fused multiply-adds, as on the oldest processors, 2.05e-7


def test_the_cumulative_is_accurate():
    x = np.linspace(-15, 15, 300_001).astype(np.float32)
    y = all_cumulative(x)
    exact = np.array([0.5 * math.erfc(-a / math.sqrt(2)) for a in x.astype(np.float64)])
    assert np.abs(y - exact).max() < LAST_PLACES
    np.testing.assert_allclose(y + y[::-1], 1, atol=1e-7)
    assert y.min() > -1e-7
    assert y.max() <= 1


def test_the_cumulative_is_zero_far_below():
    """GELU multiplies it by x: 1e-8 would not be small."""
    assert (all_cumulative(np.array([-6, -1e4, -1e30], np.float32)) == 0).all()
    np.testing.assert_allclose(all_cumulative(np.array([6, 1e4, np.inf], np.float32)), 1, atol=2e-7)


def test_coefficients_are_the_fit():
    """P - f Q = 0 is linear in the coefficients, but its residual is Q times that of P / Q - f.

    So it is solved several times, each time divided by the previous Q.
    """
    limit, degree = gaussian._LIMIT, 5
    x = limit * (1 + np.cos(np.pi * (np.arange(256) + 0.5) / 256)) / 2
    f = np.array([math.erf(a / math.sqrt(2)) / (2 * a) for a in x])
    u = (x / limit) ** 2
    powers, weight = u[:, None] ** np.arange(degree + 1), x
    for _ in range(4):
        system = np.hstack([powers, -f[:, None] * powers[:, 1:]]) * weight[:, None]
        solution = np.linalg.lstsq(system, f * weight, rcond=1e-16)[0]
        p, q = solution[: degree + 1], np.append(1, solution[degree + 1 :])
        weight = x / (powers @ q)
    scale = limit ** (2.0 * np.arange(degree + 1))
    stored = [getattr(gaussian, f"_P{i}") for i in range(6)]
    np.testing.assert_allclose(stored, p / scale, rtol=1e-4)
    stored = [getattr(gaussian, f"_Q{i}") for i in range(1, 6)]
    np.testing.assert_allclose(stored, (q / scale)[1:], rtol=1e-4)
