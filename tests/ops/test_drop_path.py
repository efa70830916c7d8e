import numpy as np
import pytest

from tervit_np.ops import drop_path, drop_path_backward
from tervit_np.verify.operators import Operator
from tests.checks import ROUNDOFF64, check


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.9])
def test_drop_path_passes_all_checks(rate):
    x = np.random.default_rng(0).normal(size=(12, 2, 3))

    def forward(x):
        return drop_path(x, rate, True, np.random.default_rng(5))

    check(Operator("drop_path", {"x": x}, forward, drop_path_backward))


def test_whole_images_are_dropped_and_the_rest_scaled_up():
    x = np.random.default_rng(1).normal(size=(200, 3, 2))
    y, factor = drop_path(x, 0.2, True, np.random.default_rng(2))
    assert factor.shape == (200, 1, 1)
    dropped = factor[:, 0, 0] == 0
    assert not y[dropped].any()
    np.testing.assert_allclose(y[~dropped], x[~dropped] / 0.8, rtol=ROUNDOFF64)
    assert 0.1 < dropped.mean() < 0.3


def test_the_mean_over_draws_is_the_input():
    rng = np.random.default_rng(3)
    total = sum(drop_path(np.ones((64, 1)), 0.3, True, rng)[0].mean() for _ in range(400)) / 400
    assert total == pytest.approx(1, abs=0.02)  # standard error 0.004


def test_evaluation_and_rate_zero_change_and_draw_nothing():
    x, rng = np.ones((4, 2)), np.random.default_rng(4)
    state = rng.bit_generator.state
    for rate, train in ((0.5, False), (0.0, True)):
        y, factor = drop_path(x, rate, train, rng)
        assert y is x
        assert factor is None
    assert rng.bit_generator.state == state
    assert drop_path(x, 0.5, False, None)[0] is x


@pytest.mark.parametrize("rate", [-0.5, 1.0, 1.5, np.nan])
def test_a_rate_outside_of_its_range_is_refused(rate):
    with pytest.raises(ValueError, match=f"rate is {rate}, expected at least 0 and below 1"):
        drop_path(np.ones((2, 2)), rate, True, np.random.default_rng(0))


def test_training_without_a_generator_is_refused():
    with pytest.raises(ValueError, match=r"drop rate above 0 needs rng=\.\.\."):
        drop_path(np.ones((2, 2)), 0.1, True, None)
