import json

import numpy as np
import pytest

import tervit_np as tv
from data_tools import ImageSet
from tervit_np.analysis.surfaces.measure import draw_sample, run_models, total_passes
from tervit_np.analysis.surfaces.runner import Runner
from tests.analysis.surfaces.runs import measured, tiny_models
from tests.rounding import SAME


def test_total_passes_predicts_the_work(tiny, sample):
    passes = []
    measured(tiny, sample, Runner(None, None, lambda name, n, is_new: passes.append(n)))
    assert sum(passes) == total_passes(5)


@pytest.mark.rounding
def test_measurements_of_one_model_agree(surfaces):
    found = surfaces
    gaps = {each.latent: each for each in found.gaps}
    floats, ternary = found.interpolation.curves
    zero, one = (int(np.abs(floats.x - x).argmin()) for x in (0, 1))
    start, channel = gaps["float"], gaps["float"].gaps[2]
    assert floats.loss[zero] == found.same.heights[0].centre == start.loss
    assert ternary.loss[zero] == found.same.heights[2].centre == channel.loss
    own = gaps["ternary"].gaps[2].loss
    assert ternary.loss[one] == pytest.approx(own, abs=SAME)  # w + (w' - w) is not quite w'
    for curves in (found.far, found.near):
        middle = [curve.loss[len(curve.x) // 2] for curve in curves]
        assert middle[2] == own
        assert middle[3] == pytest.approx(own, abs=SAME)
    far = {curve.name: curve for curve in found.far}
    apart = far["ternary-latent"].loss - far["ternary-effective"].loss
    assert np.abs(apart).max() > 0.01
    assert [grid.name for grid in found.grids] == [name for name in far if name != "8-bit"]
    for grid in found.grids:
        curve = far[grid.name]
        np.testing.assert_array_equal(curve.loss[::2], grid.loss[:, 2])
    assert found.trained.heights[2].centre == own
    assert {c.size for c in found.curvature} == {2 * (48 + 16 + 2 * 32)}  # block weights alone
    assert [c.name for c in found.curvature] == ["float", "8-bit", "ternary"]


def write_run(folder, models, names):
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps({"stages": [{"name": n} for n in names]}))
    for name, model in zip(names, models, strict=True):
        tv.save_checkpoint(model, folder / f"{name}.npz")


def test_the_kind_of_a_model_follows_from_its_quantizers(tiny, tmp_path):
    models = tiny_models(tiny)
    write_run(tmp_path, models.values(), ["first", "second", "third"])
    found = run_models(tmp_path)
    assert found.stages == {"float": "first", "8-bit": "second", "ternary": "third"}
    for name, model in models.items():
        np.testing.assert_array_equal(found.models[name].head.bias.data, model.head.bias.data)


def test_without_an_8_bit_stage_the_float_one_is_rounded(tiny, tmp_path):
    models = tiny_models(tiny)
    write_run(tmp_path, [models["float"], models["ternary"]], ["float", "ternary"])
    found = run_models(tmp_path)
    assert list(found.models) == ["float", "8-bit", "ternary"]
    assert found.stages["8-bit"] == "float, rounded"
    assert found.models["8-bit"].head.weight_quant.bits == 8
    np.testing.assert_array_equal(
        found.models["8-bit"].head.weight.data, models["float"].head.weight.data
    )


def test_a_4_bit_stage_is_ignored(tiny, tmp_path):
    models, four = tiny_models(tiny), tiny(tv.quant.named_plan("int4"), depth=2)
    write_run(tmp_path, [models["float"], four, models["ternary"]], ["float", "4-bit", "ternary"])
    assert run_models(tmp_path).stages["8-bit"] == "float, rounded"


@pytest.mark.parametrize("absent", ["float", "ternary"])
def test_both_solutions_are_needed(tiny, tmp_path, absent):
    models = {n: m for n, m in tiny_models(tiny).items() if n != absent}
    write_run(tmp_path, models.values(), list(models))
    with pytest.raises(ValueError, match=f"no {absent} stage is finished"):
        run_models(tmp_path)


def image_set(count):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    classes = tuple(map(str, range(count)))
    return ImageSet("s", "train", pixels, np.arange(count), classes, (0.5,) * 3, (0.25,) * 3)


def test_the_sample_is_fixed_by_its_seed():
    images = image_set(50)
    pixels, labels = draw_sample(images, 20, 3)
    assert pixels.shape == (20, 3, 4, 4)
    assert len(set(labels)) == 20
    np.testing.assert_allclose(
        pixels[0], (images.images[labels[0]].transpose(2, 0, 1) / 255 - 0.5) / 0.25, atol=1e-5
    )
    np.testing.assert_array_equal(labels, draw_sample(images, 20, 3)[1])
    assert (labels != draw_sample(images, 20, 4)[1]).any()


@pytest.mark.parametrize("count", [1, 51])
def test_a_sample_of_impossible_size_is_refused(count):
    with pytest.raises(ValueError, match="has 50, and at least 2"):
        draw_sample(image_set(50), count, 0)
