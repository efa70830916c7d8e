"""The checker is checked: every planted mistake is caught by the kind of check it declares."""

import pytest

from tervit_np.analysis.checks import CHECKS, caught_by
from tervit_np.analysis.planting import CATCHERS, Edit, Plant, planted
from tervit_np.analysis.plants import PLANTS, find_plant

BACKWARD = [p for p in PLANTS.values() if p.caught_by == "differences"]
CONSISTENT = [p for p in PLANTS.values() if p.caught_by == "golden"]
CONVENTIONS = [p for p in PLANTS.values() if p.caught_by == "frozen"]
MANNERS = [p for p in PLANTS.values() if p.caught_by == "structure"]
FORWARD = (": logits", ": loss")


def names(plants):
    return [plant.name for plant in plants]


@pytest.mark.parametrize("kind", CHECKS)
def test_without_a_plant_everything_passes(kind):
    rows = list(CHECKS[kind](1))
    assert rows
    assert [row for row in rows if not row.ok] == []


@pytest.mark.parametrize("plant", BACKWARD, ids=names(BACKWARD))
def test_a_wrong_backward_is_caught_by_differences_alone(plant):
    """What the forward computes is right: golden logits and losses and worked examples agree.

    Golden gradients disagree as well, and where a sum over the batch is wrong, so does additivity.
    """
    caught = caught_by(plant)
    assert "differences" in caught
    assert "frozen" not in caught
    with planted(plant):
        rows = list(CHECKS["golden"](0))
    forward = [row for row in rows if row.check == "worked" or row.what.endswith(FORWARD)]
    assert len(forward) > 16
    assert all(row.ok for row in forward)


@pytest.mark.parametrize("plant", CONSISTENT, ids=names(CONSISTENT))
def test_a_consistent_mistake_is_caught_by_golden_values_alone(plant):
    assert caught_by(plant) == ["golden"]


@pytest.mark.parametrize("plant", CONVENTIONS, ids=names(CONVENTIONS))
def test_a_broken_convention_is_caught_by_frozen_residuals_alone(plant):
    assert caught_by(plant) == ["frozen"]


@pytest.mark.parametrize("plant", MANNERS, ids=names(MANNERS))
def test_bad_manners_are_caught_by_structure_alone(plant):
    """But for a written latent weight, which a blend still needs: its value is wrong too."""
    also = ["frozen"] if plant.name == "latent-written" else []
    assert caught_by(plant) == [*also, "structure"]


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_a_failing_row_says_what_to_look_for(plant):
    with planted(plant):
        failed = [row for row in CHECKS[plant.caught_by](0) if not row.ok]
    assert failed
    assert all(row.note for row in failed)


def test_the_table_of_plants():
    """Printed with `pytest -s`."""
    print()
    for plant in PLANTS.values():
        print(f"{plant.name:<20} {plant.caught_by:<12} {plant.about}")
    assert len(PLANTS) >= 70
    assert {plant.caught_by for plant in PLANTS.values()} == set(CATCHERS)


def test_a_plant_is_taken_out_again_even_after_an_error():
    from tervit_np import ops
    from tervit_np.nn import layernorm as module

    before = ops.layernorm_backward
    with pytest.raises(RuntimeError), planted(find_plant("layernorm-mean")):
        assert ops.layernorm_backward is not before
        assert module.layernorm_backward is ops.layernorm_backward
        raise RuntimeError
    assert ops.layernorm_backward is before
    assert module.layernorm_backward is before


def test_a_plant_that_no_longer_fits_the_source_says_so():
    stale = Plant("stale", "", "golden", (Edit("ops.pool", "mean_pool", "x.median()", ""),))
    with pytest.raises(ValueError, match="occurs 0 times in ops.pool.mean_pool"), planted(stale):
        pass


def test_unknown_plants_get_a_hint():
    with pytest.raises(ValueError, match="did you mean layernorm-mean"):
        find_plant("layernorm-means")
