import numpy as np
import pytest

numba = pytest.importorskip("numba")

from tervit_np.compiled import exponential  # noqa: E402
from tervit_np.compiled.exponential import exp32  # noqa: E402
from tervit_np.compiled.softmax import softmax  # noqa: E402


@numba.njit
def all_exp(x):
    y = np.empty_like(x)
    for i in range(x.size):
        y[i] = exp32(x[i])
    return y


def test_exp_is_exact_to_two_units_in_the_last_place():
    x = np.linspace(-87, 88, 200_001).astype(np.float32)
    exact = np.exp(x.astype(np.float64))
    assert np.abs(all_exp(x) / exact - 1).max() < 2 * 2.0**-23


def test_exp_saturates():
    y = all_exp(np.array([-np.inf, -500, 0, 500, np.inf, np.nan], np.float32))
    assert y[0] == y[1] < 2e-38
    assert y[2] == 1
    assert y[3] == y[4] > 1e38
    assert np.isnan(y[5])


def test_nan_of_any_payload_stays_nan():
    """Also in softmax, whose largest number it is or the row of which it spoils."""
    payloads = np.array([1, 2, 0x55, 0x100, 0x1FF, 0x3FFFFF], np.uint32)
    nan = np.concatenate([payloads | 0x7FC00000, payloads | 0xFFC00000]).astype(np.uint32)
    nan = nan.view(np.float32)
    assert np.isnan(all_exp(nan)).all()
    rows = np.stack([np.zeros_like(nan), nan, np.ones_like(nan)], axis=1)
    assert np.isnan(softmax(rows, 1.0)).all()


def test_coefficients_are_the_fit():
    r = np.cos(np.pi * (np.arange(64) + 0.5) / 64) * np.log(2) / 2
    powers = r[:, None] ** np.arange(2, 6)
    fit = np.linalg.lstsq(powers, np.exp(r) - 1 - r, rcond=None)[0]
    stored = [getattr(exponential, f"_C{i}") for i in range(2, 6)]
    np.testing.assert_allclose(stored, fit, rtol=1e-7)
