import math

import numpy as np
import pytest

from tervit_np.analysis.comparison.statistics import summarize, t_probability, t_quantile


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (5, 2.5706), (9, 2.2622), (30, 2.0423)],
)
def test_students_quantile_is_that_of_the_tables(degrees, expected):
    assert abs(t_quantile(degrees) - expected) < 6e-5


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 8])
def test_the_sum_is_the_integral_of_students_density(degrees):
    """Trapezoids over 2 Gamma((n + 1) / 2) / (sqrt(n pi) Gamma(n / 2)) (1 + x^2 / n)^-(n + 1)/2."""
    x = np.linspace(0, 1.7, 20_001)
    density = (1 + x**2 / degrees) ** (-(degrees + 1) / 2)
    area = np.trapezoid(density, x)
    factor = math.gamma((degrees + 1) / 2) / math.gamma(degrees / 2) / math.sqrt(degrees * math.pi)
    assert abs(t_probability(1.7, degrees) - 2 * factor * area) < 1e-8


def test_95_percent_of_the_intervals_contain_the_mean():
    rng = np.random.default_rng(0)
    contained = [
        abs(s.mean) <= s.margin for s in map(summarize, rng.normal(size=(4000, 3)).tolist())
    ]
    assert abs(np.mean(contained) - 0.95) < 0.012  # 3.5 standard errors


def test_mean_standard_deviation_and_margin():
    summary = summarize([1.0, 2.0, 6.0])
    assert summary.mean == 3
    assert summary.std == pytest.approx(math.sqrt(7))
    assert summary.margin == pytest.approx(4.3027 * math.sqrt(7 / 3), rel=1e-4)


def test_one_value_has_no_deviation_and_none_is_refused():
    assert math.isnan(summarize([2.0]).std)
    assert math.isnan(summarize([2.0]).margin)
    with pytest.raises(ValueError, match="no values"):
        summarize([])
