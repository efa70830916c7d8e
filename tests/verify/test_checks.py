import numpy as np
import pytest

from tervit_np.verify.checks import CHECKS, caught_by, to_row
from tervit_np.verify.gradcheck import Difference
from tervit_np.verify.mutants import find_mutant
from tervit_np.verify.mutation import mutant, mutated


def notes(kind, name):
    with mutated(find_mutant(name)):
        return [row.note for row in CHECKS[kind](0) if not row.ok]


def test_a_difference_is_judged_and_explained():
    one = np.array([1.0, -2.0])
    right = to_row("differences", Difference("x", one, one), 1e-7)
    assert (right.ok, right.error, right.note) == (True, 0.0, "")
    wrong = to_row("differences", Difference("x", 3 * one, one), 1e-7, {"K": 9})
    assert not wrong.ok
    assert wrong.note == "3 times the true gradient, which is sqrt(K): 1/sqrt(K) is missing"
    assert not to_row("differences", Difference("x", one * np.nan, one), 1e-7).ok


def test_a_check_that_cannot_run_has_failed():
    broken = mutant(
        "golden", "broken", "", ("ops.pool", "mean_pool", "x.mean(axis=1)", "x[None, 0, 9]")
    )
    assert caught_by(broken) == ["differences", "golden", "structure"]


@pytest.mark.parametrize(
    ("name", "suspect"),
    [
        ("wrong-eps", "the forward pass"),
        ("smoothing", "the loss"),
        ("residual", "the backward pass"),
    ],
)
def test_golden_values_point_at_the_first_thing_that_is_wrong(name, suspect):
    found = {note for note in notes("golden", name) if "framework" in note}
    assert found == {f"another framework disagrees; look at {suspect}"}


def test_attention_without_its_scale_is_called_by_name():
    """Through softmax the factor is that of the check; through attention it is sqrt(K)."""
    found = notes("differences", "softmax-scale")
    assert any("1/sqrt(K) is missing" in note for note in found)
    assert any("a factor of the scale is missing" in note for note in found)
    assert any(note.startswith("right from the logits down to") for note in found)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("loss-sum", "which is batch: 1/batch is missing"),
        ("temperature", "a factor of T is missing"),
        ("mean-pool", "1/tokens is missing"),
        ("layernorm-mean", "the mean (or the sum) along the row is not removed"),
        ("attention-dq", "the sign"),
        ("scatter", "assigned where it should be added"),
        ("linear-mean", "a factor of rows is missing"),
        ("bias-forgotten", "never added"),
        ("bias-twice", "counted twice"),
        ("loss-sign", "the sign"),
    ],
)
def test_likely_mistakes_are_the_mutated_ones(name, words):
    assert any(words in note for note in notes("differences", name))


def test_another_seed_gives_other_numbers_and_the_same_verdict():
    for kind in ("differences", "frozen"):
        one, two = list(CHECKS[kind](0)), list(CHECKS[kind](7))
        assert [row.error for row in one] != [row.error for row in two]
        assert all(row.ok for row in one + two)
