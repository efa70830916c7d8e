from contextlib import closing

import numpy as np
import pytest

from tervit_np.verify.checks import CHECKS, caught_by, gradient_row
from tervit_np.verify.gradcheck import GradientCheck
from tervit_np.verify.mutants import find_mutant
from tervit_np.verify.mutation import mutant, mutated


def notes(kind, name):
    """Yield what is said of failures; who stops early spares the checks after that."""
    with mutated(find_mutant(name)):
        yield from (row.note for row in CHECKS[kind](0) if not row.ok)


def test_a_row_says_whether_a_gradient_is_right_and_what_is_likely_wrong():
    one = np.array([1.0, -2.0])
    right = gradient_row("differences", GradientCheck("x", one, one), 1e-7)
    assert (right.ok, right.error, right.note) == (True, 0.0, "")
    wrong = gradient_row("differences", GradientCheck("x", 3 * one, one), 1e-7, {"K": 9})
    assert not wrong.ok
    assert wrong.note == "3 = sqrt(K) times the true gradient: 1/sqrt(K) is missing"
    assert not gradient_row("differences", GradientCheck("x", one * np.nan, one), 1e-7).ok


def test_a_check_that_cannot_run_has_failed():
    broken = mutant(
        "golden", "broken", "", ("ops.pool", "mean_pool", "x.mean(axis=1)", "x[None, 0, 9]")
    )
    assert caught_by(broken) == ["differences", "golden", "contracts"]


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("wrong-eps", "the forward pass"),
        ("smoothing", "the loss"),
        ("residual", "the backward pass"),
    ],
)
def test_golden_values_name_the_first_pass_that_is_wrong(name, where):
    framework_notes = {note for note in notes("golden", name) if "framework" in note}
    assert framework_notes == {f"another framework disagrees; look at {where}"}


def test_a_missing_scale_of_attention_is_named():
    """The softmax operator lacks the factor of its check; attention lacks sqrt(K)."""
    failed_notes = list(notes("differences", "softmax-scale"))
    assert any("1/sqrt(K) is missing" in note for note in failed_notes)
    assert any("a factor of the scale is missing" in note for note in failed_notes)
    assert any(note.startswith("right from the logits down to") for note in failed_notes)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("loss-sum", "= batch times the true gradient: 1/batch is missing"),
        ("temperature", "a factor of T is missing"),
        ("mean-pool", "1/tokens is missing"),
        ("layernorm-mean", "the mean (or the sum) along the row is not removed"),
        ("attention-dq", "the sign is wrong"),
        ("scatter", "assigned where it should be added"),
        ("linear-mean", "a factor of rows is missing"),
        ("bias-forgotten", "never added"),
        ("bias-twice", "counted twice"),
        ("loss-sign", "the sign is wrong"),
    ],
)
def test_the_likely_mistake_is_that_of_the_mutant(name, words):
    with closing(notes("differences", name)) as failed_notes:
        assert any(words in note for note in failed_notes)


def test_another_seed_changes_errors_and_no_outcome():
    for kind in ("differences", "frozen"):
        one, two = list(CHECKS[kind](0)), list(CHECKS[kind](7))
        assert [row.error for row in one] != [row.error for row in two]
        assert all(row.ok for row in one + two)
