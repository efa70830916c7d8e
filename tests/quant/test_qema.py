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
