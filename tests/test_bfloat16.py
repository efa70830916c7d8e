"""Rounding to bfloat16: nearest, ties to even, for every kind of number."""

import numpy as np

from tervit_np.bfloat16 import bfloat16_bits, floats_of, round_bfloat16, split_bfloat16

ALL = floats_of(np.arange(2**16, dtype=np.uint16))
NORMAL = ALL[np.isfinite(ALL) & (np.abs(ALL) >= 2.0**-56)]


def test_every_bfloat16_number_stays_as_it_is():
    np.testing.assert_array_equal(round_bfloat16(NORMAL), NORMAL)
    np.testing.assert_array_equal(round_bfloat16(np.float32([np.inf, -np.inf])), [np.inf, -np.inf])
    assert np.isnan(round_bfloat16(ALL[np.isnan(ALL)])).all()


def test_the_nearest_is_taken_and_the_even_one_of_two():
    """Between two neighbours, seven numbers and the middle; the float64 middle decides."""
    low = NORMAL[(NORMAL > 0) & (NORMAL < 1e38)]
    step = (low.view(np.uint32)[:, None] + np.arange(0, 2**16, 2**13, dtype=np.uint32)).view(
        np.float32
    )
    high = floats_of(bfloat16_bits(low) + np.uint16(1))
    middle = (low.astype(np.float64) + high) / 2
    odd = bfloat16_bits(low) % 2 == 1
    up = (step > middle[:, None]) | ((step == middle[:, None]) & odd[:, None])
    expected = np.where(up, high[:, None], low[:, None])
    np.testing.assert_array_equal(round_bfloat16(step), expected)
    np.testing.assert_array_equal(round_bfloat16(-step), -expected)


def test_small_numbers_become_zero_and_large_ones_infinite():
    largest = np.float32(2.0**-56)
    np.testing.assert_array_equal(
        round_bfloat16(np.float32([np.nextafter(largest, np.float32(0)), -1e-40, 0, largest])),
        [0, 0, 0, largest],
    )
    assert np.isinf(round_bfloat16(np.float32([3.4e38, -3.4e38]))).all()


def test_two_numbers_keep_16_bits():
    x = np.random.default_rng(0).normal(size=10_000).astype(np.float32)
    high, low = split_bfloat16(x)
    assert (np.abs(x - high) <= 2.0**-8 * np.abs(x)).all()
    assert (np.abs(x.astype(np.float64) - high - low) <= 2.0**-16 * np.abs(x)).all()
    np.testing.assert_array_equal(round_bfloat16(low), low)
