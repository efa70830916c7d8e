import numpy as np
import pytest

from tervit_np.param import Param
from tervit_np.quant import Freezing, Ternary
from tests.checks import EXACT, close

W = np.array([[0.45, 1.0, -1.0, 1.0], [0.45, 1.0, -1.0, 1.0]])  # Delta near 0.6, alpha 1
HIGH, LOW = 0.75, 0.45


def run(first, quantizer=None):
    """Give the first weight these values, one after another.  -> the weight, the quantizer."""
    quantizer, weight = quantizer or Freezing(), Param(W.copy())
    quantizer.prepare(W)
    for value in first:
        weight.data[0, 0] = value
        quantizer.after_step(weight)
    return weight, quantizer


def test_a_weight_that_goes_back_and_forth_is_frozen_where_it_mostly_was():
    weight, quantizer = run([HIGH, LOW, HIGH, LOW] + [LOW] * 3)
    frozen = quantizer.buffers()["frequencies"] > 1
    assert frozen.tolist() == [[True, False, False, False], [False] * 4]
    assert weight.data[0, 0] == 0
    weight, _ = run([HIGH] * 60 + [LOW, HIGH, LOW, HIGH])
    assert weight.data[0, 0] == pytest.approx(1, abs=0.07)  # alpha


def test_it_stays_whatever_the_optimizer_does():
    weight, quantizer = run([HIGH, LOW, HIGH, LOW, HIGH, LOW, -3, 9])
    assert weight.data[0, 0] == 0
    assert quantizer.forward(weight.data)[0][0, 0] == 0
    close(weight.data[1], W[1], EXACT)  # another row


@pytest.mark.parametrize(
    "first",
    [
        [HIGH, LOW] + [LOW] * 200 + [HIGH, LOW],  # too rarely
        [HIGH] * 9,  # one change
        [-HIGH, LOW, HIGH],  # 0 -> -1 -> 0 -> 1: one turn
    ],
)
def test_rare_changes_freeze_nothing(first):
    weight, quantizer = run(first)
    assert (quantizer.buffers()["frequencies"] <= quantizer.limit).all()
    assert weight.data[0, 0] == first[-1]


def test_otherwise_the_rule_is_that_of_ternary_weights():
    w = np.random.default_rng(0).normal(size=(3, 8))
    close(Freezing().forward(w)[0], Ternary().forward(w)[0], EXACT)


@pytest.mark.parametrize("limit", [0, -1, 1.5, float("nan")])
def test_a_limit_that_is_no_frequency_is_refused(limit):
    with pytest.raises(ValueError, match="limit is"):
        Freezing(limit=limit)


def test_the_repr_states_the_rule():
    assert repr(Freezing("tensor", 0.5)) == "freezing ternary (tensor, 0.5)"
