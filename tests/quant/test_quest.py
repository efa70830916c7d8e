import numpy as np
import pytest

from tervit_np.quant import Quest, Ternary
from tervit_np.quant.quest import LEVEL, root_mean_square
from tests.checks import ROUNDOFF64, close

GAUSSIAN = np.random.default_rng(0).normal(size=(50, 2000))


def squared_error(w_hat, w):
    return float(np.square(w_hat - w).sum() / np.square(w).sum())


def test_the_level_is_the_best_one_for_gaussian_weights():
    """It is the mean magnitude beyond half of it, and no other level has a smaller error."""
    magnitude = np.abs(GAUSSIAN)
    assert magnitude[magnitude > LEVEL / 2].mean() == pytest.approx(LEVEL, abs=0.005)
    errors = [
        np.square(magnitude - level * (magnitude > level / 2)).mean()
        for level in LEVEL * np.array([0.9, 1, 1.1])
    ]
    assert np.argmin(errors) == 1
    assert squared_error(Quest().forward(GAUSSIAN)[0], GAUSSIAN) == pytest.approx(0.190, abs=0.002)


def test_it_is_near_the_exact_interval_on_gaussian_rows():
    exact = squared_error(Ternary(threshold="exact").forward(GAUSSIAN)[0], GAUSSIAN)
    assert exact < squared_error(Quest().forward(GAUSSIAN)[0], GAUSSIAN) < 1.005 * exact


def test_the_boundaries_are_those_of_the_convention():
    """Weights on the boundaries move the level, so they are adjusted until nothing moves."""
    quantizer, w = Quest(), np.ones((1, 100))
    for _ in range(60):
        level = quantizer.encode(w).scale[0]
        ends = np.nextafter(1.5 * level, [0, 9])
        w[0, :4] = [level / 2, np.nextafter(level / 2, 9), ends[0], np.nextafter(ends[1], 9)]
    assert quantizer.encode(w).scale[0] == level
    w_hat, cache = quantizer.forward(w)
    assert w_hat[0, :4].tolist() == [0, level, level, level]
    assert quantizer.backward(np.ones_like(w), cache)[0, :4].tolist() == [1, 1, 1, 0]


def test_outliers_are_masked_and_others_are_not():
    w = np.array([[10.0, *[1.0] * 15]])
    quantizer = Quest()
    _, cache = quantizer.forward(w)
    assert quantizer.backward(np.ones_like(w), cache)[0, :2].tolist() == [0, 1]


def test_squares_neither_overflow_nor_vanish():
    for factor in (1e-300, 1e300):
        close(root_mean_square(np.array([[3.0, 4.0, 0.0, 0.0]]) * factor), 2.5 * factor, ROUNDOFF64)
    assert root_mean_square(np.zeros((1, 3))).tolist() == [0]


def test_a_level_beyond_float32_is_refused():
    with pytest.raises(ValueError, match="too large for a scale"):
        Quest().forward(np.full((1, 4), np.finfo(np.float32).max))


def test_the_repr_states_the_rule():
    assert repr(Quest("group32")) == "ternary QuEST (group32)"
