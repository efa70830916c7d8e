"""The checks are checked: the kind of check that a mutant declares must catch it.

One mutant of each kind is quick; `pytest -m slow` and `tervit check --all-mutants` run all.
"""

import pytest

from tervit_np.quant import LAT, Sherry
from tervit_np.quant.straight_through import StraightThrough
from tervit_np.verify.checks import CHECKS, caught_by, failures
from tervit_np.verify.mutants import MUTANTS, find_mutant
from tervit_np.verify.mutation import Edit, Mutant, mutated

BACKWARD = [m for m in MUTANTS.values() if m.caught_by == "differences"]
CONSISTENT = [m for m in MUTANTS.values() if m.caught_by == "golden"]
CONVENTIONS = [m for m in MUTANTS.values() if m.caught_by == "frozen"]
CONTRACTS = [m for m in MUTANTS.values() if m.caught_by == "contracts"]
FORWARD = (": logits", ": loss")
FIRST = [next(m.name for m in MUTANTS.values() if m.caught_by == kind) for kind in CHECKS]


def each(mutants):
    """Parametrize by mutants; the first of each kind is quick, `pytest -m slow` runs the others."""
    slow = pytest.mark.slow
    params = [pytest.param(m, id=m.name, marks=() if m.name in FIRST else slow) for m in mutants]
    return pytest.mark.parametrize("mutant", params)


@pytest.mark.parametrize("kind", CHECKS)
def test_all_checks_pass_without_a_mutant(kind):
    rows = list(CHECKS[kind](1))
    assert rows
    assert [row for row in rows if not row.ok] == []


@each(BACKWARD)
def test_a_wrong_backward_is_caught_by_differences_alone(mutant):
    """The forward is right: golden logits and losses agree, and so do the examples by hand.

    Golden gradients disagree as well; where a sum over the batch is wrong, contracts do too.
    """
    caught = caught_by(mutant)
    assert "differences" in caught
    assert "frozen" not in caught
    with mutated(mutant):
        rows = list(CHECKS["golden"](0))
    forward = [row for row in rows if row.check == "example" or row.what.endswith(FORWARD)]
    assert len(forward) > 16
    assert all(row.ok for row in forward)


@each(CONSISTENT)
def test_a_consistent_mistake_is_caught_by_golden_values_alone(mutant):
    assert caught_by(mutant) == ["golden"]


@each(CONVENTIONS)
def test_a_broken_convention_is_caught_by_frozen_residuals_alone(mutant):
    assert caught_by(mutant) == ["frozen"]


@each(CONTRACTS)
def test_a_broken_contract_is_caught_by_contracts_alone(mutant):
    """Except an overwritten latent weight: a blend reads it again, so its value is wrong too."""
    also = ["frozen"] if mutant.name == "latent-written" else []
    assert caught_by(mutant) == [*also, "contracts"]


@each(MUTANTS.values())
def test_a_failing_row_says_what_to_look_for(mutant):
    with mutated(mutant):
        rows = list(failures(mutant.caught_by))
    assert rows
    assert all(row.note for row in rows)


def test_every_mutant_fits_the_source():
    """Quick for all of them: a changed line is found before the slow tests run."""
    for mutant in MUTANTS.values():
        with mutated(mutant):
            pass


def test_there_are_mutants_for_every_kind_of_check():
    assert len(MUTANTS) >= 70
    assert {mutant.caught_by for mutant in MUTANTS.values()} == set(CHECKS)


def test_a_mutant_is_removed_even_after_an_error():
    from tervit_np import ops
    from tervit_np.nn import layernorm as module

    before = ops.layernorm_backward
    with pytest.raises(RuntimeError), mutated(find_mutant("layernorm-mean")):
        assert ops.layernorm_backward is not before
        assert module.layernorm_backward is ops.layernorm_backward
        raise RuntimeError
    assert ops.layernorm_backward is before
    assert module.layernorm_backward is before


def test_a_mutant_of_an_inherited_method_changes_one_class():
    before = StraightThrough.backward
    with mutated(find_mutant("sherry-share")):
        assert Sherry.backward is not before
        assert LAT.backward is StraightThrough.backward is before
    assert "backward" not in vars(Sherry)


def test_a_mutant_that_no_longer_fits_the_source_is_refused():
    stale = Mutant("stale", "", "golden", (Edit("ops.pool", "mean_pool", "x.median()", ""),))
    with pytest.raises(ValueError, match="occurs 0 times in ops.pool.mean_pool"), mutated(stale):
        pass


def test_an_unknown_mutant_gets_a_hint():
    with pytest.raises(ValueError, match="did you mean layernorm-mean"):
        find_mutant("layernorm-means")
