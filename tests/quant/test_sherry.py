import numpy as np
import pytest

from tervit_np.quant import Sherry
from tervit_np.quant.sherry import largest_three

W = np.random.default_rng(0).normal(size=(6, 40))


def test_each_four_have_one_zero_at_the_smallest_magnitude():
    codes = Sherry().encode(W).codes.reshape(-1, 4)
    assert (np.count_nonzero(codes, axis=1) == 3).all()
    np.testing.assert_array_equal((codes == 0).argmax(axis=1), np.abs(W).reshape(-1, 4).argmin(1))


def test_the_scale_is_least_squares():
    w_hat, _ = Sherry().forward(W)
    errors = [np.square(W - factor * w_hat).sum() for factor in (0.99, 1, 1.01)]
    assert np.argmin(errors) == 1


def test_the_error_on_gaussian_rows_is_the_one_in_the_text():
    w = np.random.default_rng(0).normal(size=(50, 2000))
    error = np.square(Sherry().forward(w)[0] - w).sum() / np.square(w).sum()
    assert error == pytest.approx(0.284, abs=0.003)


def test_of_equal_magnitudes_the_first_is_dropped():
    assert largest_three(np.array([[2.0, -2.0, 2.0, 2.0]])).tolist() == [[False, True, True, True]]


def test_a_block_of_zeros_has_codes_zero():
    w = np.array([[0, 0, 0, 0, 1, 2, 3, 3.0]])
    assert Sherry().encode(w).codes.tolist() == [[0, 0, 0, 0, 0, 1, 1, 1]]


def test_groups_hold_whole_blocks():
    assert Sherry("group8").encode(W).scale.shape == (6, 5)
    with pytest.raises(ValueError, match="blocks of 4 do not fit"):
        Sherry("group6")
    assert repr(Sherry()) == "ternary Sherry 3:4 (channel)"


def test_the_largest_float32_has_a_scale():
    w = np.full((1, 4), np.finfo(np.float32).max)
    np.testing.assert_allclose(Sherry().forward(w)[0], [[0, *w[0, 1:]]], rtol=1e-6)
