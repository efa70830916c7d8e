import numpy as np
import pytest

from tervit_np.quant import CALIBRATIONS, StaticAct, find_scale
from tervit_np.quant.calibration import squared_error

X = np.random.default_rng(0).normal(size=(5, 7, 9))
OUTLIER = np.append(X, 100.0)


def relative_error(x, scale, bits):
    return squared_error(x, StaticAct(bits, scale)) / np.square(x).sum()


def test_min_max_ends_at_the_largest_magnitude():
    assert find_scale(-OUTLIER, 8, "min-max") == 100 / 127
    assert StaticAct(4, find_scale(X, 4, "min-max")).forward(X)[1].ste_mask.sum() >= X.size - 1


@pytest.mark.parametrize("percent", [1, 50, 99, 99.9, 100])
def test_a_percentile_leaves_its_share_outside(percent):
    x = np.random.default_rng(1).permutation(np.linspace(-1, 1, 10001))
    end = 7 * find_scale(x, 4, "percentile", percent)
    assert abs(100 * (np.abs(x) <= end).mean() - percent) < 0.02
    assert end == pytest.approx(percent / 100, abs=2e-4)


def test_a_hundred_percent_are_min_max():
    for bits in (2, 8):
        one, two = find_scale(X, bits, "percentile", 100), find_scale(X, bits, "min-max")
        assert one == two


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("x", [X, OUTLIER], ids=["normal", "outlier"])
def test_least_squares_has_nearly_the_least_error_of_all_scales(x, bits):
    """A search of 2,000 ends finds none that is more than 5 % better."""
    ends = np.abs(x).max() * np.linspace(1 / 240, 1, 2000)
    errors = [relative_error(x, end / StaticAct(bits, 1).clip, bits) for end in ends]
    found = relative_error(x, find_scale(x, bits, "least-squares"), bits)
    assert found < 1.05 * min(errors)
    for rule in ("min-max", "percentile"):
        assert found <= relative_error(x, find_scale(x, bits, rule), bits)


def test_an_outlier_moves_min_max_and_not_the_percentile():
    moved = {
        rule: find_scale(OUTLIER, 8, rule, 99) / find_scale(X, 8, rule, 99) for rule in CALIBRATIONS
    }
    assert moved["min-max"] > 25
    assert moved["percentile"] < 1.2


@pytest.mark.parametrize("rule", CALIBRATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("factor", [1e-20, 1, 1e20])
def test_scales_scale_with_the_values(rule, dtype, factor):
    one, two = (find_scale((f * X).astype(dtype), 4, rule) for f in (1, factor))
    assert two == pytest.approx(factor * one, rel=1e-6)


@pytest.mark.parametrize("rule", CALIBRATIONS)
def test_constant_values_are_exact(rule):
    x = np.full((3, 4), -2.5, np.float32)
    quantizer = StaticAct(8, find_scale(x, 8, rule))
    np.testing.assert_allclose(quantizer.forward(x)[0], x, rtol=1e-6)


@pytest.mark.parametrize("rule", CALIBRATIONS)
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((2, 3)), "all values are 0, or too small for a scale"),
        (np.full(4, 1e-44), "all values are 0, or too small for a scale"),
        (np.array([1, np.nan]), "a value is NaN or infinite"),
        (np.array([1, -np.inf]), "a value is NaN or infinite"),
        (np.array([]), "it has no values"),
    ],
)
def test_values_without_a_scale_are_refused(rule, x, words):
    with pytest.raises(ValueError, match=words):
        find_scale(x, 8, rule)


def test_a_percentile_of_zeros_is_refused():
    x = np.zeros(10_000)
    x[3] = 1
    with pytest.raises(ValueError, match=r"99\.9 % of the values are 0; choose min-max or least-s"):
        find_scale(x, 8, "percentile")
    assert find_scale(x, 8, "min-max") == 1 / 127
    assert find_scale(x, 8, "least-squares") == 1 / 127


@pytest.mark.parametrize("percent", [0, -1, 100.1, float("nan"), True, 10**400])
def test_percentages_out_of_range_are_refused(percent):
    with pytest.raises(
        ValueError, match="percent is .*; expected a number above 0 and at most 100"
    ):
        find_scale(X, 8, "percentile", percent)


def test_unknown_rules_are_refused():
    with pytest.raises(
        ValueError, match="rule is 'entropy'; expected one of min-max, percentile, le"
    ):
        find_scale(X, 8, "entropy")
