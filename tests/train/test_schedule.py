import numpy as np
import pytest

from tervit_np.train import warmup_cosine


def rates(total, warmup, peak=2.0, final=0.1):
    return np.array([warmup_cosine(t, total, peak, warmup, final) for t in range(total + 1)])


def test_warm_up_is_a_line_that_ends_at_the_peak():
    lr = rates(100, 0.2)
    np.testing.assert_allclose(lr[:20], 2 * np.arange(1, 21) / 20)
    assert lr[19] == lr[20] == 2


def test_the_rest_is_half_a_cosine_down_to_the_floor():
    lr = rates(100, 0.2)
    assert lr[60] == pytest.approx((2 + 0.2) / 2)
    assert lr[100] == pytest.approx(0.2)
    assert (np.diff(lr[20:]) < 0).all()
    np.testing.assert_allclose(lr[20:] + lr[20:][::-1], 2.2)  # point symmetric


def test_the_rate_starts_at_the_peak_without_warm_up():
    assert rates(10, 0.0)[0] == 2


@pytest.mark.parametrize(("total", "warmup"), [(1, 0.0), (1, 1.0), (3, 0.5), (7, 1.0), (2, 0.9)])
def test_short_runs_stay_within_bounds(total, warmup):
    lr = rates(total, warmup)[:total]
    assert (lr > 0).all()
    assert (lr <= 2).all()
    assert lr.max() == 2


def test_a_final_ratio_of_one_keeps_the_peak():
    np.testing.assert_array_equal(rates(10, 0.3, final=1.0)[3:], 2)
