import numpy as np
import pytest

from tervit_np.quant import QuestAct, UniformAct
from tervit_np.quant.plan_words import quantizer_from_words
from tervit_np.quant.quest_act import ENDS

X = np.random.default_rng(0).normal(size=(20, 5000))


def error(x_hat):
    return np.square(x_hat - X).mean()


@pytest.mark.parametrize("bits", ENDS)
def test_the_end_is_the_best_one_for_gaussian_values(bits, monkeypatch):
    errors = []
    for factor in (0.97, 1, 1.03):
        monkeypatch.setitem(ENDS, bits, factor * ENDS[bits])
        errors.append(error(QuestAct(bits).forward(X)[0]))
        monkeypatch.undo()
    assert np.argmin(errors) == 1


def test_the_ends_are_near_those_of_the_authors_code():
    theirs = {2: 1.493535, 3: 2.051068, 4: 2.513931, 5: 2.916094, 6: 3.276597, 7: 3.601050}
    for bits, end in theirs.items():
        assert ENDS[bits] == pytest.approx(end, rel=5e-5 if bits < 6 else 3e-3)


def test_two_bits_lose_less_than_grids_from_the_extremes():
    losses = [error(q.forward(X)[0]) for q in (QuestAct(2), UniformAct(2, "minmax"), UniformAct(2))]
    assert losses[0] == pytest.approx(0.119, abs=0.002)
    assert 3 * losses[0] < losses[1] < losses[2]


@pytest.mark.parametrize("bits", [2, 7])
def test_levels_are_between_the_integers(bits):
    codes = QuestAct(bits).encode(X**3).codes  # some of them far beyond the end
    n = 2**bits - 1
    assert set(range(-n, n + 1, 2)) >= set(np.unique(codes).tolist())
    assert (codes.min(), codes.max()) == (-n, n)


def test_values_within_half_a_step_of_the_end_have_a_gradient():
    """All but two tenths of a percent of Gaussian values with 4 bits, and no outlier."""
    quantizer = QuestAct(4)
    x_hat, cache = quantizer.forward(X)
    dx = quantizer.backward(np.ones_like(X), cache)
    half = quantizer.encode(X).scale
    np.testing.assert_array_equal(dx == 1, np.abs(x_hat - X) <= half * (1 + 1e-12))
    assert 0.99 < dx.mean() < 0.9975


def test_tokens_of_zeros_stay_zero():
    assert not QuestAct(2).forward(np.zeros((2, 4), np.float32))[0].any()


def test_an_input_that_is_too_large_is_not_called_a_weight():
    with pytest.raises(ValueError, match="quantize: a value is too large for a scale"):
        QuestAct(2).forward(np.full((1, 4), np.finfo(np.float32).max))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="NaN or infinite"):
        QuestAct().forward(np.array([[1.0, bad]]))


def test_eight_bits_have_no_such_grid():
    assert quantizer_from_words("int7-quest", "inputs").bits == 7
    with pytest.raises(ValueError, match="inputs: bits is 8; expected an integer from 2 to 7"):
        quantizer_from_words("int8-quest", "inputs")


@pytest.mark.parametrize("bits", [1, 8, 4.0, True])
def test_bits_are_an_integer_from_2_to_7(bits):
    with pytest.raises(ValueError, match="expected an integer from 2 to 7"):
        QuestAct(bits)


def test_the_repr_states_the_rule():
    assert repr(QuestAct(3)) == "QuEST 3 bits (token)"
