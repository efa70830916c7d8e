import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.surfaces.directions import around_zero
from tervit_np.analysis.surfaces.gaps import gaps, quantized
from tervit_np.analysis.surfaces.measure import plane_steps
from tervit_np.analysis.surfaces.planes import plane, stacked, value_layers, value_shifts
from tervit_np.analysis.surfaces.runner import image_losses


def test_surfaces_of_the_same_latent_weights_agree_with_the_gaps(tiny, sample):
    model = tiny(depth=2)
    found = plane(model, *sample, steps=3)
    assert [s.name for s in found.grids] == ["float", "8-bit", "ternary"]
    apart = {gap.name: gap for gap in gaps(model, *sample).gaps}
    low, middle, high = found.heights
    assert high.centre - low.centre == pytest.approx(apart["ternary, channel-wise"].gap)
    assert middle.centre - low.centre == pytest.approx(apart["8-bit"].gap)
    for height, grid in zip(found.heights, found.grids, strict=True):
        assert height.centre == grid.loss[1, 1]
        assert height.mean == pytest.approx(grid.loss.mean())
        assert height.distance == pytest.approx(height.mean - low.mean, abs=1e-9)
    assert (low.distance, low.distance_error) == (0, 0)
    assert 0 < high.distance_error < high.centre_error * 2


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_plane_without_its_centre_is_refused(tiny, sample, steps):
    with pytest.raises(ValueError, match=f"a plane of {steps} points along a side; expected an od"):
        plane(tiny(depth=2), *sample, steps=steps)


def test_every_grid_has_a_plane_with_a_centre():
    for grid in range(5, 43, 2):  # those that `tervit surface` takes
        steps = plane_steps(grid)
        assert steps % 2 == 1 and steps >= 3
        assert abs(steps - grid / 2) <= 1
        assert around_zero(1, steps)[steps // 2] == 0


@pytest.mark.rounding
def test_latent_weights_are_shifted_and_then_quantized(tiny, clear_sample):
    model, moved = tiny(depth=2), tiny(depth=2)
    for block, steps in ((0, 1.0), (1, -1.0)):  # the corner x = 1, y = -1
        w = moved.blocks[block].attn.qkv.weight.data
        w[8:] += steps * np.abs(w[8:]).mean()
    moved = quantized(moved, "ternary")
    sample = clear_sample(moved)
    found = plane(model, *sample, steps=3).grids[2]
    losses = image_losses(moved, *sample)
    assert found.loss[2, 0] == pytest.approx(losses.mean(dtype=float), abs=1e-6)


def test_only_the_value_rows_move_by_their_mean_size(tiny):
    model = tiny(depth=2)
    shifts, units = value_shifts(model)
    w = model.blocks[1].attn.qkv.weight.data
    shift = shifts[1]["blocks.1.attn.qkv.weight"]
    assert not shift[:8].any()
    np.testing.assert_allclose(shift[8:], np.abs(w[8:]).mean(), rtol=1e-6)
    assert units[1] == pytest.approx(np.abs(w[8:]).mean())


def test_each_model_has_its_own_units(tiny, sample):
    models = {"float": tiny(depth=2), "ternary": tiny("ternary", seed=3, depth=2)}
    found = stacked(models, *sample, steps=3)
    assert found.units.shape == (2, 2)
    assert found.units[0, 0] != found.units[1, 0]
    expected = image_losses(models["ternary"], *sample).mean(dtype=float)
    assert found.grids[1].loss[1, 1] == expected


def test_a_swin_has_blocks_in_stages():
    model = tv.create_model("swin_cifar", dim=8)
    assert value_layers(model) == [f"layers.0.blocks.{i}.attn.qkv.weight" for i in (0, 1)]


def test_one_block_is_not_enough(tiny, sample):
    with pytest.raises(ValueError, match="needs two blocks, the model has 1"):
        plane(tiny(), *sample)
