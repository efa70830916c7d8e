import numpy as np
import pytest

from tervit_np.exercises.tasks import find_exercise
from tervit_np.exercises.tasks.ternarize import _large_and_small
from tervit_np.exercises.tasks.ternarize_mistakes import by_formula
from tervit_np.quant import ternarize

TERNARIZE = find_exercise("ternarize")
GOOD = """
size = np.abs(matrix).astype(np.float64)
mean = size.mean(axis=1)
delta = 0.7 * mean
chosen = size > delta[:, None]
alpha = np.where(chosen, size, 0).sum(axis=1) / np.maximum(chosen.sum(axis=1), 1)
codes = (np.sign(matrix) * chosen).astype(np.int8)
return codes, alpha, delta
"""
ALPHA = GOOD.split("alpha = ")[1].splitlines()[0]


def test_the_right_lines_pass(last_finding):
    assert last_finding(TERNARIZE, GOOD).ok


@pytest.mark.parametrize(
    ("right", "wrong", "where", "message"),
    [
        ("size.mean(axis=1)", "size.max(axis=1)", "on paper", "delta: it is 0.7 max|w|"),
        ("mean(axis=1)", "mean(axis=0)", "on paper", "one number for each column; each row has"),
        ("mean(axis=1)", "mean(axis=1, keepdims=True)", "on paper", "drop keepdims"),
        ("size >", "size >=", "equal to", "0.7 became 1, expected 0: |w| equals Delta"),
        ("size > delta[:, None]", "size - delta[:, None] > 1e-9", "small weights",
         "|w| is 5e-13 and Delta 4.2e-13"),
        ("0.7 * mean", "mean", "on paper", "delta: the factor 0.7 is missing"),
        ("0.7 * mean", "0.5 * mean", "on paper", "delta of row 0 is 0.3, expected 0.42"),
        ("mean = size.mean(axis=1)", "mean = matrix.mean(axis=1)", "paper", "uses the mean of w"),
        ("size.mean(axis=1)", "np.full(len(size), size.mean())", "random", "each row has its own"),
        ("size.mean(axis=1)", "size.mean()", "`", "IndexError"),
        ("size.mean(axis=1)", "size.sum(axis=1) / np.maximum((size > 0).sum(axis=1), 1)", "zeros",
         "the mean runs over the weights that are not 0"),
        ("np.sign(matrix) * chosen", "chosen", "on paper", "the sign is lost"),
        ("np.sign(matrix) * chosen", "matrix * chosen", "on paper", "this is the weight itself"),
        ("* chosen", "* (size < delta[:, None])", "on paper", "|w| is 0.1 and Delta 0.42"),
        ("codes = (", "codes = 2 * (", "on paper", "codes are only -1, 0 and 1"),
        (".astype(np.int8)", "", "on paper", "codes are float64, expected int8"),
        (ALPHA, "mean", "on paper", "0.92 with 0.6, 0.6 with 1, the least that these codes allow"),
        (ALPHA, "size.max(axis=1)", "on paper", "it is the largest weight"),
        (ALPHA, "(size * chosen).sum(axis=1)", "on paper", "it is a sum"),
        (ALPHA, "(size * chosen).mean(axis=1)", "on paper", "divided by the length of the row"),
        (ALPHA, "np.ones(1)", "random", "its shape is (1,), expected (3,)"),
        ("np.maximum(chosen.sum(axis=1), 1)", "(chosen.sum(axis=1) + 1e-12)", "on paper",
         "alpha of row 0 is 0.999999999999"),
        (", 1)", ", 0)", "a row of zeros", "alpha of a row of zeros is nan, expected 0"),
        (".astype(np.float64)", "", "float32", "sums in float32 lose small weights"),
        ("alpha = np.where(chosen, size, 0)", "alpha = np.where(chosen, np.abs(matrix), 0)",
         "float16", "alpha is inf: do the sums run in float64?"),
    ],
)  # fmt: skip
def test_each_mistake_is_named(last_finding, right, wrong, where, message):
    assert right in GOOD
    finding = last_finding(TERNARIZE, GOOD.replace(right, wrong, 1))
    assert where in finding.what
    assert message in finding.message


@pytest.mark.parametrize("values", ["codes", "codes, alpha", "codes, None, delta"])
def test_a_result_that_is_not_three_arrays_is_refused(last_finding, values):
    lines = GOOD.replace("return codes, alpha, delta", f"return {values}")
    assert "expected" in last_finding(TERNARIZE, lines).message


def test_the_formula_agrees_with_the_library():
    """One computes weight by weight, the other all rows at once."""
    w = np.random.default_rng(0).normal(size=(5, 11))
    fitted = ternarize(w)
    for row, codes, alpha, delta in zip(w, *fitted, strict=True):
        assert by_formula(row)[0] == codes.tolist()
        np.testing.assert_allclose(by_formula(row)[1:], (alpha, delta), rtol=1e-14)


def test_a_float32_sum_of_large_and_small_weights_is_wrong():
    """Otherwise the case would not show that sums must run in float64."""
    w = _large_and_small()
    exact = (8 + 120 * 2.0**-24) / 128
    assert abs(w.mean(axis=1)[0] / exact - 1) > 4 * np.finfo(np.float32).eps
