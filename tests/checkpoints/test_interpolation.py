import math

import numpy as np
import pytest

from tervit_np.checkpoints.interpolation import cubic, resize_grid, resize_rows
from tervit_np.verify.golden import uniform_from_name
from tests.checks import ROUNDOFF32, ROUNDOFF64
from tests.golden.golden import RESIZED, stored


@pytest.mark.parametrize("case", RESIZED)
def test_interpolation_matches_pytorch(case):
    old, new = case
    resized = resize_grid(uniform_from_name(f"table {case}", (old, old, 3)), new)
    np.testing.assert_allclose(resized, stored("operators")[f"resized/{case}"], atol=ROUNDOFF64)


def test_float32_stays_float32_and_accurate():
    table = uniform_from_name("table", (14, 14, 3))
    resized = resize_grid(table.astype(np.float32), 20)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, resize_grid(table, 20), atol=ROUNDOFF32)


@pytest.mark.parametrize("sizes", RESIZED)
def test_each_row_of_weights_sums_to_one(sizes):
    weights = resize_rows(np.eye(sizes[0]), sizes[1])
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=ROUNDOFF64)


def test_the_same_size_keeps_the_table():
    np.testing.assert_array_equal(resize_rows(np.eye(6), 6), np.eye(6))


def test_sums_have_the_order_of_the_formula():
    """Each processor's BLAS adds in its own order, and training begins with these weights."""
    table = uniform_from_name("table", (5, 5, 7))
    expected = interpolated(interpolated(table, 8).swapaxes(0, 1), 8).swapaxes(0, 1)
    np.testing.assert_array_equal(resize_grid(table, 8), expected)


def interpolated(table, new):
    """Evaluate the formula number by number.  (n, ...) -> (new, ...)."""
    out = np.zeros((new, *table.shape[1:]))
    for i, *rest in np.ndindex(out.shape):
        x = (i + 0.5) * len(table) / new - 0.5
        for k in range(math.floor(x) - 1, math.floor(x) + 3):
            value = table[(min(max(k, 0), len(table) - 1), *rest)]
            out[(i, *rest)] += cubic(np.float64(x - k)) * value
    return out


def test_another_a_gives_other_values():
    """Pillow and the literature use a = -0.5: at t = 1/2 that is 0.5625, here it is 0.59375."""
    np.testing.assert_allclose(
        cubic(np.array([0.0, 0.5, 1.0, 1.5, 2.0])), [1, 0.59375, 0, -0.09375, 0]
    )
