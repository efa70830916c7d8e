"""NumPy adds floats in an order that depends on shape and strides alone (CONTRIBUTING.md)."""

import numpy as np
import pytest


def in_pairs(x):
    """Sum along a contiguous axis: halves, down to 128 numbers, which are summed in eight lanes."""
    count = len(x)
    if count > 128:
        half = count // 16 * 8
        return in_pairs(x[:half]) + in_pairs(x[half:])
    whole = count // 8 * 8
    total = x.dtype.type(0)
    if whole:
        lanes = x[:8].copy()
        for i in range(8, whole, 8):
            lanes += x[i : i + 8]
        pairs = lanes[0::2] + lanes[1::2]
        total = (pairs[0] + pairs[1]) + (pairs[2] + pairs[3])
    for number in x[whole:]:
        total += number
    return total


@pytest.mark.rounding
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_along_the_last_axis_are_made_in_pairs(dtype):
    """So are the losses' sums of exponentials, and means of |w|."""
    for count in (1, 7, 8, 10, 100, 128, 129, 200, 1000, 4608):
        x = np.random.default_rng(count).standard_normal((3, count)).astype(dtype)
        expected = [in_pairs(row) for row in x]
        np.testing.assert_array_equal(x.sum(axis=1), expected)
        np.testing.assert_array_equal(x.mean(axis=1), np.array(expected) / dtype(count))


@pytest.mark.rounding
@pytest.mark.parametrize("axis", [0, 1])
def test_sums_along_other_axes_are_made_in_order(axis):
    """So are pooled tokens and the gradients of what all images share."""
    x = np.random.default_rng(axis).standard_normal((65, 41, 48)).astype(np.float32)
    expected = np.zeros_like(x.take(0, axis=axis))
    for i in range(x.shape[axis]):
        expected += x.take(i, axis=axis)
    np.testing.assert_array_equal(x.sum(axis=axis), expected)
