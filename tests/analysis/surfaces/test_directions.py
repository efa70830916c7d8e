import numpy as np
import pytest

from tervit_np.analysis.surfaces.affine_models import rounded
from tervit_np.analysis.surfaces.directions import around_zero, grid2d, line, random_direction
from tervit_np.analysis.surfaces.runner import image_losses


def test_each_row_is_as_long_as_the_weights_row(tiny):
    model = tiny()
    params, direction = dict(model.named_params()), random_direction(model)
    for name in ("blocks.0.attn.qkv.weight", "patch_embed.proj.weight"):
        d, w = (a.reshape(len(a), -1) for a in (direction[name], params[name].data))
        np.testing.assert_allclose(np.linalg.norm(d, axis=1), np.linalg.norm(w, axis=1), rtol=1e-5)
    d, w = direction["pos_embed"][0], params["pos_embed"].data[0]  # (T, D): a token is a row
    np.testing.assert_allclose(np.linalg.norm(d, axis=1), np.linalg.norm(w, axis=1), rtol=1e-5)


def test_tensors_with_one_axis_do_not_move(tiny):
    model = tiny()
    moving = {name for name, p in model.named_params() if p.data.ndim > 1}
    assert set(random_direction(model)) == moving
    assert "norm.weight" not in moving
    assert "head.bias" not in moving


def test_one_seed_gives_all_models_the_same_gaussian_numbers(tiny):
    a, b, c = (
        random_direction(tiny(seed=s), d)["head.weight"] for s, d in ((0, 0), (5, 0), (0, 1))
    )
    row = [x[0] / np.linalg.norm(x[0]) for x in (a, b, c)]
    np.testing.assert_allclose(row[0], row[1], rtol=1e-5)
    assert np.abs(row[0] - row[2]).max() > 0.01


def test_a_line_passes_through_the_model(tiny, sample):
    model = tiny("ternary")
    direction = random_direction(model)
    result = line(model, *sample, direction, around_zero(0.6, 5))
    losses = image_losses(model, *sample)
    assert result.x[2] == 0
    assert result.loss[2] == losses.mean(dtype=float)
    assert result.error[2] == pytest.approx(losses.std(ddof=1) / np.sqrt(len(losses)), rel=0.15)
    assert np.ptp(result.loss) > 0.01


def test_moving_latent_weights_differs_from_moving_quantized_ones(tiny, sample):
    """A small step moves a quantized weight, but no latent weight over its threshold."""
    model = tiny("ternary", dtype="float64")
    model.blocks[0].mlp.fc1.act_quant = model.blocks[0].mlp.fc2.act_quant
    name = "blocks.0.mlp.fc1.weight"
    row = np.zeros_like(model.blocks[0].mlp.fc1.weight.data)
    quiet = np.abs(model.blocks[0].mlp.fc1.weight.data[0]).argmin()
    row[0, quiet] = 1e-3  # a weight that is 0 when rounded, and stays 0
    latent = line(model, *sample, {name: row}, [0.0, 1.0])
    moved = line(rounded(model), *sample, {name: row}, [0.0, 1.0])
    assert moved.loss[0] == latent.loss[0]
    assert latent.loss[1] == latent.loss[0]
    assert moved.loss[1] != moved.loss[0]


def test_a_grid_contains_lines(tiny, sample):
    model = tiny("int8")
    first, second = random_direction(model, 0), random_direction(model, 1)
    x, y = [-0.2, 0.0, 0.3], [0.0, 0.1]
    result = grid2d(model, *sample, (first, second), x, y)
    assert result.loss.shape == (3, 2)
    np.testing.assert_array_equal(result.loss[:, 0], line(model, *sample, first, x).loss)
    np.testing.assert_array_equal(result.loss[1], line(model, *sample, second, y).loss)


@pytest.mark.parametrize("count", [3, 41, 99, 197])  # np.linspace misses it with 99 and 197
def test_a_symmetric_grid_contains_an_exact_zero(count):
    grid = around_zero(0.6, count)
    assert grid[count // 2] == 0
    np.testing.assert_allclose(grid, np.linspace(-0.6, 0.6, count), atol=1e-12)
