import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tervit_np.arrays import read_only
from tervit_np.quant import ternarize
from tests.checks import ROUNDOFF32, ROUNDOFF64, close

FACTORS = {"twn": 0.7, "absmean": 0.5, 0.25: 0.25}
weights = st.floats(-1e3, 1e3, width=32)
matrices = arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 7)), elements=weights)


def rng(seed=0):
    return np.random.default_rng(seed)


def by_the_formula(row, factor, scale):
    """One row of the docstring, a weight at a time.  -> codes, alpha, Delta."""
    sizes = [abs(float(w)) for w in row]
    mean = math.fsum(sizes) / len(sizes)
    delta = factor * mean
    support = [size for size in sizes if size > delta]
    codes = [(size > delta) * int(math.copysign(1, w)) for w, size in zip(row, sizes, strict=True)]
    if scale == "mean":
        return codes, mean, delta
    return codes, math.fsum(support) / len(support) if support else 0.0, delta


def squared_error(w, fitted):
    return float(((w - fitted.dequantize()) ** 2).sum())


@pytest.mark.parametrize("shape", [(4, 9), (3, 2, 3, 3), (6,)])
@pytest.mark.parametrize("granularity", ["channel", "tensor"])
@pytest.mark.parametrize("scale", ["support", "mean"])
@pytest.mark.parametrize("threshold", FACTORS)
def test_every_option_follows_the_formula(threshold, scale, granularity, shape):
    w = rng().normal(size=shape) * np.arange(1, 1 + shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    fitted = ternarize(w, granularity=granularity, threshold=threshold, scale=scale)
    assert fitted.codes.dtype == np.int8
    assert fitted.codes.shape == w.shape
    assert (
        fitted.scale.shape == fitted.threshold.shape == (shape[:1] if granularity[0] == "c" else ())
    )
    rows = w.reshape(shape[0] if granularity == "channel" else 1, -1)
    alphas, deltas = np.atleast_1d(fitted.scale), np.atleast_1d(fitted.threshold)
    for row, codes, a, d in zip(
        rows, fitted.codes.reshape(rows.shape), alphas, deltas, strict=True
    ):
        expected, alpha, delta = by_the_formula(row, FACTORS[threshold], scale)
        assert codes.tolist() == expected
        assert math.isclose(a, alpha, rel_tol=ROUNDOFF64)
        assert math.isclose(d, delta, rel_tol=ROUNDOFF64)


def test_a_row_ternarizes_as_computed_by_hand():
    """mean|w| = 0.6, Delta = 0.42; 0.5 and 1.5 remain, their mean is 1."""
    fitted = ternarize(np.array([[0.1, -0.5, 0.3, 1.5]]))
    assert fitted.codes.tolist() == [[0, -1, 0, 1]]
    np.testing.assert_allclose([*fitted.scale, *fitted.threshold], [1.0, 0.42])


def test_absmean_with_mean_matches_bitnet():
    """b1.58: clip(round(w / mean|w|), -1, 1) mean|w|, in which halves round to 0 as ours do."""
    w = np.array([[0.5, -0.5, 1.5, 1.5], [2.0, -0.9, 0.1, 1.0]])
    gamma = np.abs(w).mean(axis=1, keepdims=True)
    assert gamma[0] == 1  # so the first two weights are equal to the threshold
    bitnet = np.clip(np.rint(w / gamma), -1, 1)
    fitted = ternarize(w, threshold="absmean", scale="mean")
    np.testing.assert_array_equal(fitted.codes, bitnet)
    np.testing.assert_array_equal(fitted.dequantize(), bitnet * gamma)


@given(w=matrices)
@settings(max_examples=60, deadline=None)
def test_the_exact_interval_beats_every_support(w):
    """Against all 2^n supports of each row; ties differ in codes, never in error."""
    w = w.astype(np.float64)
    fitted = ternarize(w, threshold="exact")
    for row, w_hat in zip(w, fitted.dequantize(), strict=True):
        sizes = np.abs(row)
        best = float((row**2).sum())
        for chosen in itertools.product([False, True], repeat=len(row)):
            if any(chosen):
                selected = sizes[list(chosen)]
                best = min(best, float((row**2).sum() - selected.sum() ** 2 / len(selected)))
        assert ((row - w_hat) ** 2).sum() <= best + 1e-12 * (row**2).sum()


@given(w=matrices, power=st.integers(-20, 20))
@settings(max_examples=40, deadline=None)
def test_scaling_and_signs_carry_over(w, power):
    """A factor changes no code and multiplies the scales exactly; w_hat is odd in w."""
    w = w.astype(np.float64)  # of float32 values, so that no power of two rounds
    for threshold in ("twn", "exact"):
        fitted = ternarize(w, threshold=threshold)
        scaled = ternarize(np.ldexp(w, power), threshold=threshold)
        np.testing.assert_array_equal(scaled.codes, fitted.codes)
        np.testing.assert_array_equal(scaled.scale, np.ldexp(fitted.scale, power))
        negated = ternarize(-w, threshold=threshold)
        np.testing.assert_array_equal(negated.dequantize(), -fitted.dequantize())


@given(w=matrices)
@settings(max_examples=40, deadline=None)
def test_channels_are_independent(w):
    fitted = ternarize(w)
    for i, row in enumerate(w):
        single = ternarize(row, granularity="tensor")
        np.testing.assert_array_equal(fitted.codes[i], single.codes)
        assert fitted.scale[i] == single.scale


def test_gaussian_rows_have_an_error_of_a_fifth():
    """Why support is the default: 0.19 of |w|^2 against 0.28, and the optimum is not far below."""
    w = rng().normal(size=(64, 1000))
    error = {
        (t, s): squared_error(w, ternarize(w, threshold=t, scale=s)) / (w**2).sum()
        for t, s in [("twn", "support"), ("twn", "mean"), ("exact", "support")]
    }
    assert abs(error["twn", "support"] - 0.192) < 0.005
    assert abs(error["twn", "mean"] - 0.278) < 0.005
    assert error["twn", "support"] - 0.005 < error["exact", "support"] < error["twn", "support"]


def test_both_factors_of_ternary_weight_networks_are_near_the_best():
    """0.7 is nearer to the best of uniform rows, 2/3, and 0.75 to that of Gaussian ones, 0.767."""

    def above_the_best(row, factor):
        best = squared_error(row, ternarize(row, threshold="exact"))
        return squared_error(row, ternarize(row, threshold=factor)) / best - 1

    quantiles = (np.arange(2000) + 0.5) / 2000
    gaussian = np.array([NormalDist().inv_cdf((1 + q) / 2) for q in quantiles])
    assert above_the_best(quantiles[None], 0.7) < 0.005 < above_the_best(quantiles[None], 0.75)
    assert above_the_best(gaussian[None], 0.75) < 0.005 < above_the_best(gaussian[None], 0.7) < 0.01


@pytest.mark.parametrize("threshold", ["twn", "absmean", "exact", 0.3])
@pytest.mark.parametrize(
    ("row", "codes", "alpha"),
    [
        ([0.0, 0.0, 0.0], [0, 0, 0], 0.0),
        ([-0.0, 0.0], [0, 0], 0.0),
        ([-3.0], [-1], 3.0),
        ([0.0, 5.0, 0.0], [0, 1, 0], 5.0),
        ([2.0, -2.0, 2.0], [1, -1, 1], 2.0),
        ([5e-324, -5e-324], [1, -1], 5e-324),
        ([1.7e308, -1.7e308], [1, -1], 1.7e308),
        ([1e308, 1e-320], [1, 0], 1e308),
    ],
)
def test_extreme_rows_are_exact(row, codes, alpha, threshold):
    """Zero, one weight, equal weights, denormals, sums beyond float64: all exact."""
    fitted = ternarize(np.array([row]), threshold=threshold)
    assert fitted.codes.tolist() == [codes]
    assert fitted.scale.tolist() == [alpha]


@pytest.mark.parametrize("threshold", ["twn", "exact"])
def test_the_largest_float32_weights_are_exact(threshold):
    big = np.finfo(np.float32).max
    fitted = ternarize(np.array([[big, -big, big / 2]], np.float32), threshold=threshold)
    assert fitted.scale.dtype == np.float32
    expected = ternarize(np.array([[big, -big, big / 2]], np.float64), threshold=threshold)
    np.testing.assert_array_equal(fitted.codes, expected.codes)
    close(fitted.scale, expected.scale, ROUNDOFF32)


def test_a_weight_on_the_threshold_is_zero():
    w = np.array([[1.0, 3.0]])  # mean 2
    assert ternarize(w, threshold=0.5).codes.tolist() == [[0, 1]]
    assert ternarize(w, threshold=np.nextafter(0.5, 0)).codes.tolist() == [[1, 1]]
    assert ternarize(w, threshold=0).codes.tolist() == [[1, 1]]


def test_sums_run_in_float64():
    """In float32, adding 1 to 2^24 changes nothing, and the mean of this row would be too small."""
    w = np.ones((1, 2**12 + 1), np.float32)
    w[0, 0] = 2**24
    fitted = ternarize(w, threshold=0, scale="mean")
    assert fitted.scale[0] == np.float32((2**24 + 2**12) / (2**12 + 1))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_scale_keeps_the_type(dtype):
    fitted = ternarize(np.array([[1, -5, 2]], dtype))
    assert fitted.scale.dtype == fitted.threshold.dtype == fitted.dequantize().dtype == dtype


def test_the_threshold_is_not_rounded_up_to_a_weight_above_it():
    """Delta is just below the second weight, and the nearest float32 is that weight."""
    w = np.array([[0.6404226422309875, 0.34484297037124634]], np.float32)
    fitted = ternarize(w)
    assert fitted.codes.tolist() == [[1, 1]]
    assert (w > fitted.threshold).all()


def test_integers_become_real():
    fitted = ternarize(np.array([[1, -5, 2]]))
    assert fitted.codes.tolist() == [[0, -1, 1]]
    assert fitted.scale.tolist() == [3.5]


def test_weights_are_only_read():
    w = read_only(rng().normal(size=(2, 5)))
    before = w.copy()
    ternarize(w, threshold="exact")
    np.testing.assert_array_equal(w, before)


@pytest.mark.parametrize(
    ("w", "options", "words"),
    [
        ([[np.nan, 1.0, np.inf]], {}, "a weight is NaN or infinite"),
        ([[1.0]], {"granularity": "row"}, "granularity is 'row'"),
        ([[1.0]], {"scale": "max"}, "scale is 'max'; expected one of support, mean"),
        ([[1.0]], {"threshold": "0.7"}, "threshold is '0.7'"),
        ([[1.0]], {"threshold": -0.1}, "finite and >= 0"),
        ([[1.0]], {"threshold": math.nan}, "finite and >= 0"),
        ([[1.0]], {"threshold": None}, "threshold is None"),
        ([[1.0]], {"threshold": True}, "threshold is True"),
        ([[1.0]], {"threshold": "exact", "scale": "mean"}, "support"),
        ([[1j]], {}, "complex128, expected real"),
        ([["a"]], {}, "expected real numbers"),
        (np.zeros((0, 3)), {}, "expected at least one"),
        (np.zeros((3, 0)), {"granularity": "tensor"}, "expected at least one"),
        (3.0, {}, "has no channels"),
    ],
)
def test_wrong_weights_and_options_are_refused(w, options, words):
    with pytest.raises(ValueError, match=words):
        ternarize(np.array(w), **options)
