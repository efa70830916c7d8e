import numpy as np
import pytest

import tervit_np as tv
from tervit_np.param import Param
from tervit_np.quant import QEMA, Ternary
from tests.checks import BACKENDS, EXACT, close

W = np.random.default_rng(0).normal(size=(4, 64)).astype(np.float32)


def flips(quantizer, noise):
    """Count changes of codes while a weight swings around its threshold.  noise (steps, 4, 64)."""
    quantizer.prepare(W)
    weight, before, count = Param(W.copy()), quantizer.encode(W).codes, 0
    for swing in noise:
        weight.data[...] = W + swing
        quantizer.after_step(weight)
        codes = quantizer.encode(weight.data).codes
        count += (codes != before).sum()
        before = codes
    return count


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_weight_at_rest_has_the_code_of_ternary_weights(backend):
    with tv.backend(backend):
        quantizer = QEMA()
        quantizer.prepare(W)
        close(quantizer.forward(W)[0], Ternary().forward(W)[0], EXACT)


def delta_of(w):
    return 0.7 * w.mean()


def alpha_of(w):
    return w[w > delta_of(w)].mean()


def row_beginning_with(number_of, is_rounded):
    """Make a row whose first weight is a number of that row, rounded to float32.  -> (1, 16)."""
    for seed in range(100):
        w = np.abs(np.random.default_rng(seed).normal(size=(1, 16))).astype(np.float32)
        for _ in range(50):  # the number depends on the weight, too
            w[0, 0] = number_of(w.astype(np.float64))
        exact = number_of(w.astype(np.float64))
        if w[0, 0] == np.float32(exact) and is_rounded(w[0, 0], exact):
            return w
    raise AssertionError("in none of 100 rows the number was rounded so")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_weight_just_above_the_threshold_has_the_code_of_ternary_weights(backend):
    """Rounded to nearest, the threshold would be the weight."""
    w = row_beginning_with(delta_of, np.greater)
    with tv.backend(backend):
        quantizer = QEMA()
        quantizer.prepare(w)
        assert quantizer.encode(w).codes[0, 0] == 1
        close(quantizer.forward(w)[0], Ternary().forward(w)[0], EXACT)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_weight_on_the_last_level_has_its_sign(backend):
    """The level is alpha in float32, as w_hat has it; in float64 it is just above the weight."""
    w = row_beginning_with(alpha_of, np.less)
    with tv.backend(backend):
        quantizer = QEMA()
        quantizer.prepare(-w)  # the average, on the other side, would make it 0
        assert quantizer.encode(w).codes[0, 0] == 1


def test_a_swinging_weight_keeps_its_code():
    noise = np.random.default_rng(1).normal(0, 0.05, (40, *W.shape)).astype(np.float32)
    assert flips(QEMA(), noise) * 5 < flips(Ternary(), noise)


def test_a_weight_that_moves_for_good_changes_its_code():
    quantizer = QEMA()
    quantizer.prepare(W)
    weight = Param(-W)
    for _ in range(500):
        quantizer.after_step(weight)
    before, after = (q.encode(-W).codes for q in (quantizer, Ternary()))
    assert (before == after).mean() > 0.97
