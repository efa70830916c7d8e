"""Further mistakes in the exercises about grids, three values and their estimator."""

import numpy as np
import pytest

from tervit_np.exercises.tasks import find_exercise
from tervit_np.exercises.tasks.exact_interval import _best_alpha
from tervit_np.quant.ternarize import exact_interval

ROUNDED, SIZE = "np.rint(x / safe)", "np.abs(x).max(axis=1, keepdims=True)"
SAFE, Q = "np.where(scale == 0, 1, scale).astype(x.dtype)", "2 ** (bits - 1) - 1"


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (Q, "2 ** bits - 1", "one bit is the sign"),
        (Q, "2 ^ (bits - 1) - 1", "in Python ^ is not a power"),
        (f"return {Q}", "pass", "nothing is returned, expected a number"),
        (ROUNDED, "np.trunc(x / safe)", "they are cut towards 0"),
        (ROUNDED, "np.ceil(x / safe)", "they are rounded up, so the error"),
        (ROUNDED, "np.copysign(np.floor(np.abs(x / safe) + 0.5), x)", "rounded away from 0"),
        (ROUNDED, "x / safe", "they are not rounded"),
        (ROUNDED, f"{ROUNDED} * safe", "this is x_hat = q s"),
        (ROUNDED, f"{ROUNDED}.astype(np.int8)", "q is int8, expected float64"),
        (SIZE, "np.abs(x).max(axis=1)", "with keepdims=True the second would be (2, 1)"),
        (SIZE, "np.abs(x).max()", "a loud row drowns the others; each row has its own (axis=1)"),
        (SIZE, "np.abs(x).max(axis=0)", "one number for each column; each row has one: axis=1"),
        ("size / q_max", "q_max / size", "it is Q / max|x|, the inverse"),
        (SAFE, "np.maximum(scale, 1e-3)", "small rows vanish"),
        ("return codes, scale", "return scale, codes", "s: these are the codes: return q, then s"),
        ("return codes, scale", "return codes, safe", "s: a row of zeros has scale 0"),
        ("codes, scale\n", "codes, np.maximum(scale, 1e-12)\n", "s: a row of zeros has scale 0"),
        ("return codes, scale", "return codes", "one array is returned, expected 2 arrays, q, s"),
    ],
)
def test_mistakes_with_a_symmetric_grid_are_named(finding_of, right, wrong, message):
    assert message in finding_of("quantize_symmetric", right, wrong).message


ZERO = "np.rint(-low / safe)"
CODES = "np.clip(np.rint(x / safe) + zero, 0, levels)"


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("np.maximum(x.max(axis=1, keepdims=True), 0)", "x.max(axis=1, keepdims=True)",
         "the range lacks 0: padding would not stay 0; hi is at least 0"),
        (ZERO, "np.rint(low / safe)", "z: the sign: lo is below 0"),
        (ZERO, "np.floor(-low / safe)", "z: it is rounded down"),
        (ZERO, "np.floor(-low / safe + 0.5)", "z: halves are rounded up"),
        (CODES, "np.clip(np.rint(x / safe + zero), 0, levels)", "q: it is round(x / s + z)"),
        (CODES, "np.clip(np.rint(x / safe) - zero, 0, levels)", "q: z is subtracted"),
        (CODES, "np.clip(np.rint(x / safe), 0, levels)", "q: z is not added"),
        (CODES, "np.clip(np.floor(x / safe) + zero, 0, levels)", "q: they are cut or rounded down"),
        (CODES, f"{CODES}.astype(np.uint8)", "q is uint8, expected float64"),
        (SAFE, "scale", "z: a row of zeros is divided by its scale, 0 / 0"),
        ("codes, scale, zero", "codes, zero, scale", "s: this is z: return q, s, z in this order"),
        ("codes, scale, zero", "codes, scale + 1e-12, zero", "s: a row of zeros has scale 0"),
    ],
)  # fmt: skip
def test_mistakes_with_a_min_max_grid_are_named(finding_of, right, wrong, message):
    assert message in finding_of("quantize_minmax", right, wrong).message


BEST, ALPHA = "np.argmax(sums**2 / k, axis=1)", "sums[of_row, best] / k[best]"


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("sums**2 / k", "sums**2", "as S_k^2 only grows"),
        ("np.arange(1, magnitude.shape[1] + 1)", "np.arange(magnitude.shape[1])",
         "k is counted from 0, and begins with 1"),
        (BEST, "np.full(len(sums), np.argmax((sums**2 / k).sum(0)))", "one k for all rows"),
        (ALPHA, "descending[of_row, best]", "the smallest weight of the k largest"),
        (ALPHA, "sums[:, best] / k[best]", "each row has one number, as in sums[np.arange(M)"),
        (ALPHA, "(sums**2 / k)[of_row, best]", "it is the gain S_k^2 / k"),
        ("return alpha, alpha / 2", "return alpha / 2, alpha", "this is delta; return alpha, d"),
        ("return alpha, alpha / 2", "return alpha, descending[of_row, best]",
         "delta: it is the smallest weight that gets a code"),
        ("return alpha, alpha / 2", "return alpha, 0.7 * magnitude.mean(axis=1)",
         "delta: it is 0.7 mean|w|"),
    ],
)  # fmt: skip
def test_mistakes_with_the_exact_interval_are_named(finding_of, right, wrong, message):
    assert message in finding_of("exact_interval", right, wrong).message


ALTERNATING = """
alpha = {}
for _ in range(50):
    above = magnitude > alpha[:, None] / 2
    alpha = (magnitude * above).sum(axis=1) / np.maximum(above.sum(axis=1), 1)
return alpha, alpha / 2
"""


@pytest.mark.parametrize(
    "start", ["magnitude.mean(axis=1)", "1.4 * magnitude.mean(axis=1)", "magnitude.min(axis=1)"]
)
def test_codes_and_scale_that_fit_each_other_are_not_enough(last_finding, start):
    """Of random rows alone they are often the best, so that some students' numbers let it pass."""
    finding = last_finding(find_exercise("exact_interval"), ALTERNATING.format(start))
    assert finding.what.startswith("[[8, 3, 2, 1, 1, 1]]")
    assert "it is the mean of the weights above its half, as several" in finding.message


def test_the_errors_of_a_wrong_scale_are_shown(finding_of):
    message = finding_of("exact_interval", "sums**2 / k", "sums / k").message
    assert message.endswith("The error of row 0 is at least 7 with 6, and 4 with 5")


def test_trying_every_k_agrees_with_the_library():
    magnitude = np.abs(np.random.default_rng(0).normal(size=(20, 13)))
    alpha, delta = exact_interval(magnitude)
    np.testing.assert_allclose([_best_alpha(row) for row in magnitude], alpha, rtol=1e-14)
    np.testing.assert_array_equal(delta, alpha / 2)


MASK, CACHE = "np.abs(w) < self.clip", "TernaryCache(mask, residual)"
FROZEN = "self._clipped(w) + require_residual(cache.residual)"


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (MASK, "np.abs(w) > self.clip", "ste_mask: it is True beyond the clip"),
        (MASK, "w < self.clip", "ste_mask: it stops large positive weights only"),
        (MASK, "w_hat != 0", "ste_mask: it is True where the code is not 0"),
        (MASK, f"({MASK}).astype(float)", "ste_mask is float64, expected an array of true and"),
        ("if self.clip is not None:\n            mask", "mask",
         "without a clip self.clip and ste_mask are None"),
        (f"mask = {MASK}", "mask = None", "ste_mask is None; with a clip it is an array"),
        ("w_hat - clipped", "clipped - w_hat", "its sign: w_hat is clip(w) + r"),
        ("w_hat - clipped", "w - clipped", "the residual is what the rounding adds"),
        ("residual = w_hat - clipped", "pass", "the residual is None, but keep_residual is True"),
        ("if keep_residual:\n            residual", "residual", "keep_residual is False, but the"),
        (f"return w_hat, {CACHE}", "return w_hat", "ndarray is returned, expected two results"),
        (f"return w_hat, {CACHE}", f"{CACHE}", "nothing is returned, expected two results"),
        (f"return w_hat, {CACHE}", f"return w, {CACHE}", "w_hat: this is w itself"),
        ("dw_hat * cache.ste_mask", "dw_hat * ~cache.ste_mask", "the mask is True inside the"),
        ("dw_hat * cache.ste_mask", "0 * dw_hat", "it is 0 everywhere, as the derivative of"),
        (FROZEN, "self.forward(w)[0]", "frozen: this rounds again"),
        (FROZEN, "self._clipped(w)", "the residual is missing"),
        (FROZEN, "cache.residual", "this is the residual alone"),
        (FROZEN, f"({FROZEN}).astype(np.float64)", "frozen is float64, but w and dw_hat are"),
    ],
)  # fmt: skip
def test_mistakes_with_the_estimator_are_named(finding_of, right, wrong, message):
    assert message in finding_of("ste_with_clip", right, wrong).message
