"""The checker is checked: every planted mistake is caught by the kind of check it declares."""

import pytest

from tervit_np.verify.checks import CHECKS, caught_by
from tervit_np.verify.mutants import MUTANTS, find_mutant
from tervit_np.verify.mutation import CATCHERS, Edit, Mutant, mutated

BACKWARD = [p for p in MUTANTS.values() if p.caught_by == "differences"]
CONSISTENT = [p for p in MUTANTS.values() if p.caught_by == "golden"]
CONVENTIONS = [p for p in MUTANTS.values() if p.caught_by == "frozen"]
MANNERS = [p for p in MUTANTS.values() if p.caught_by == "structure"]
FORWARD = (": logits", ": loss")


def names(mutants):
    return [mutant.name for mutant in mutants]


@pytest.mark.parametrize("kind", CHECKS)
def test_without_a_mutant_everything_passes(kind):
    rows = list(CHECKS[kind](1))
    assert rows
    assert [row for row in rows if not row.ok] == []


@pytest.mark.parametrize("mutant", BACKWARD, ids=names(BACKWARD))
def test_a_wrong_backward_is_caught_by_differences_alone(mutant):
    """What the forward computes is right: golden logits and losses and worked examples agree.

    Golden gradients disagree as well, and where a sum over the batch is wrong, so does additivity.
    """
    caught = caught_by(mutant)
    assert "differences" in caught
    assert "frozen" not in caught
    with mutated(mutant):
        rows = list(CHECKS["golden"](0))
    forward = [row for row in rows if row.check == "worked" or row.what.endswith(FORWARD)]
    assert len(forward) > 16
    assert all(row.ok for row in forward)


@pytest.mark.parametrize("mutant", CONSISTENT, ids=names(CONSISTENT))
def test_a_consistent_mistake_is_caught_by_golden_values_alone(mutant):
    assert caught_by(mutant) == ["golden"]


@pytest.mark.parametrize("mutant", CONVENTIONS, ids=names(CONVENTIONS))
def test_a_broken_convention_is_caught_by_frozen_residuals_alone(mutant):
    assert caught_by(mutant) == ["frozen"]


@pytest.mark.parametrize("mutant", MANNERS, ids=names(MANNERS))
def test_bad_manners_are_caught_by_structure_alone(mutant):
    """But for a written latent weight, which a blend still needs: its value is wrong too."""
    also = ["frozen"] if mutant.name == "latent-written" else []
    assert caught_by(mutant) == [*also, "structure"]


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_failing_row_says_what_to_look_for(mutant):
    with mutated(mutant):
        failed = [row for row in CHECKS[mutant.caught_by](0) if not row.ok]
    assert failed
    assert all(row.note for row in failed)


def test_the_table_of_mutants():
    """Printed with `pytest -s`."""
    print()
    for mutant in MUTANTS.values():
        print(f"{mutant.name:<20} {mutant.caught_by:<12} {mutant.about}")
    assert len(MUTANTS) >= 70
    assert {mutant.caught_by for mutant in MUTANTS.values()} == set(CATCHERS)


def test_a_mutant_is_taken_out_again_even_after_an_error():
    from tervit_np import ops
    from tervit_np.nn import layernorm as module

    before = ops.layernorm_backward
    with pytest.raises(RuntimeError), mutated(find_mutant("layernorm-mean")):
        assert ops.layernorm_backward is not before
        assert module.layernorm_backward is ops.layernorm_backward
        raise RuntimeError
    assert ops.layernorm_backward is before
    assert module.layernorm_backward is before


def test_a_mutant_that_no_longer_fits_the_source_says_so():
    stale = Mutant("stale", "", "golden", (Edit("ops.pool", "mean_pool", "x.median()", ""),))
    with pytest.raises(ValueError, match="occurs 0 times in ops.pool.mean_pool"), mutated(stale):
        pass


def test_unknown_mutants_get_a_hint():
    with pytest.raises(ValueError, match="did you mean layernorm-mean"):
        find_mutant("layernorm-means")
