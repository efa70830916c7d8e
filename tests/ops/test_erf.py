import math

import numpy as np
import pytest

from tervit_np.arrays import read_only
from tervit_np.ops import erf


def test_erf_agrees_with_the_c_library_to_the_last_digit():
    x = np.concatenate([np.linspace(-7, 7, 20_001), np.random.default_rng(0).normal(size=5_000)])
    expected = np.array([math.erf(value) for value in x])
    assert np.abs(erf(x) - expected).max() <= 1e-15


def test_small_arguments_keep_their_relative_precision():
    x = np.logspace(-300, -2, 400)
    expected = np.array([math.erf(value) for value in x])
    assert np.abs(erf(x) / expected - 1).max() <= 1e-15


def test_erf_is_accurate_halfway_between_grid_points():
    """Where the series is longest, from both sides."""
    middle = (np.arange(192) + 0.5) / 32
    x = np.concatenate([np.nextafter(middle, 0), middle, np.nextafter(middle, 9)])
    expected = np.array([math.erf(value) for value in x])
    assert np.abs(erf(x) - expected).max() <= 1e-15


def test_erf_is_odd_bounded_and_exact_at_the_ends():
    x = np.random.default_rng(1).normal(size=1_000) * 3
    np.testing.assert_array_equal(erf(-x), -erf(x))
    assert np.abs(erf(x)).max() <= 1
    ends = np.array([0.0, -0.0, np.inf, -np.inf, 1e300, 5e-324])
    np.testing.assert_array_equal(erf(ends), [math.erf(value) for value in ends])
    assert np.signbit(erf(np.array([-0.0])))[0]


def test_nan_stays_nan_and_changes_no_other_element():
    y = erf(np.array([np.nan, 1.0]))
    assert np.isnan(y[0])
    assert y[1] == pytest.approx(math.erf(1), rel=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_erf_keeps_shape_and_dtype(dtype, shape):
    y = erf(np.full(shape, 0.5, dtype))
    assert y.shape == shape
    assert y.dtype == dtype
    np.testing.assert_allclose(y, math.erf(0.5), rtol=1e-6)


def test_erf_only_reads_its_input():
    erf(read_only(np.linspace(-2, 2, 5)))
