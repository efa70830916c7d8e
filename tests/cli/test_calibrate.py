"""`tervit calibrate`, and what the other commands do with its file."""

import re

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.quant import StaticAct, find_scale


@pytest.fixture(scope="module")
def run(pictures, scratch, tmp_path_factory):
    """A run of a float and a ternary stage on bright and dark pictures."""
    out = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERVIT_DATA", str(scratch))
        data = tv.train.load_data(f"folder:{pictures}@16", 8)
    config = tv.DeiTConfig(16, 8, 2, 16, 2, 2, pool="mean", init="xavier")
    model = tv.DeiT(config, np.random.default_rng(0))
    stages = [tv.train.Stage("float", "float", 2), tv.train.Stage("ternary", "ternary", 2)]
    tv.train.run(model, stages, data, out, recipe=tv.train.Recipe(batch_size=8), quiet=True)
    return out


@pytest.fixture(scope="module")
def calibrated(run):
    return run / "ternary-calibrated.npz"


def test_the_last_stage_is_calibrated_into_a_file_next_to_it(tervit, run, calibrated):
    code, out, _ = tervit("calibrate", run)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == "inputs of largest grid ends step clipped".split()
    assert re.fullmatch(r"blocks\.1\.mlp\.fc2( +\d+\.\d+){3} +\d\.\d{3} %", lines[-3])
    assert lines[-1] == f"{calibrated}: 10 static scales by least-squares from 96 training images"
    model, extra = tv.load_model(calibrated)
    assert extra["calibration"] == {"rule": "least-squares", "pictures": 96, "seed": 0}
    images = extra["mean"], extra["std"]
    assert all(len(values) == 3 for values in images)
    static = [layer.act_quant for _, layer in model.quantizable()]
    assert sum(isinstance(act, StaticAct) for act in static) == 10


def test_the_file_is_evaluated_exported_and_counted(tervit, calibrated, tmp_path):
    code, out, _ = tervit("eval", calibrated)
    assert code == 0
    unpacked = re.search(r"test accuracy (\S+)", out)[1]
    code, out, error = tervit("export", calibrated, "--out", tmp_path / "x.safetensors")
    assert (code, error) == (0, "")
    assert re.search(r"test accuracy (\S+)", tervit("eval", tmp_path / "x.safetensors")[1])[1] == (
        unpacked
    )
    assert "its own plan" in tervit("size", calibrated)[1]
    plan = tmp_path / "plan.toml"
    assert tervit("size", calibrated, "--write-plan", plan)[0] == 0
    assert re.search(r'inputs = \{ quantizer = "int8-static", scale = 0\.\d+ \}', plan.read_text())


def test_rule_pictures_and_seed_are_options(tervit, run, tmp_path):
    def calibrate(*options):
        assert tervit("calibrate", run, *options, "--out", tmp_path / "x.npz")[0] == 0
        model = tv.load_model(tmp_path / "x.npz")[0]
        return [layer.act_quant.scale for _, layer in model.quantizable()
                if isinstance(layer.act_quant, StaticAct)]  # fmt: skip

    every = [
        calibrate(),
        calibrate("--rule", "percentile", "--percent", 90),
        calibrate("--rule", "min-max"),
        calibrate("--images", 5),
        calibrate("--images", 5, "--seed", 1),
    ]
    assert len({tuple(scales) for scales in every}) == 5
    assert (np.array(every[1]) < every[2]).all()


def test_another_stage_takes_a_plan(tervit, run, tmp_path):
    out = tmp_path / "eight.npz"
    code, text, _ = tervit("calibrate", run, "--stage", "float", "--plan", "int8", "--out", out)
    assert code == 0
    model = tv.load_model(out)[0]
    assert repr(model.head.weight_quant) == "int8 (channel)"
    assert isinstance(model.head.act_quant, StaticAct)
    assert out.name in text
    named = tmp_path / "named.npz"
    tervit("calibrate", run, "--stage", "float", "--plan", "int8-static", "--out", named)
    assert repr(tv.load_model(named)[0].head.act_quant) == repr(model.head.act_quant)


def test_the_products_of_attention_stay_dynamic(tervit, run, tmp_path):
    (tmp_path / "plan.toml").write_text(
        "[[layer]]\npattern = '.*'\nweights = 'int8'\ninputs = 'int8'\n"
    )
    out = tmp_path / "x.npz"
    asked = "calibrate", run, "--stage", "float", "--plan", tmp_path / "plan.toml", "--out", out
    assert tervit(*asked)[0] == 0
    acts = {name: layer.act_quant for name, layer in tv.load_model(out)[0].quantizable()}
    products = {name for name in acts if name.endswith("attn.products")}
    assert len(products) == 2
    for name, act in acts.items():
        assert isinstance(act, tv.quant.UniformAct if name in products else StaticAct)


def test_calibration_uses_the_training_split(tervit, run, calibrated):
    """Not the pictures that it is measured on."""
    tervit("calibrate", run, "--rule", "min-max")
    train = tv.train.load_data(tv.load_model(calibrated)[1]["data"], 0).train
    model = tv.load_model(run / "ternary.npz")[0]
    layer = dict(model.quantizable())["patch_embed.proj"]
    from data_tools import normalise
    from tervit_np.ops.patches import patchify

    images = patchify(normalise(train.images, train.mean, train.std), layer.patch)
    expected = StaticAct(8, find_scale(images, 8, "min-max"))
    found = dict(tv.load_model(calibrated)[0].quantizable())["patch_embed.proj"].act_quant
    assert found.scale == expected.scale


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--stage", "float"), "float.npz is not quantized; choose a plan, such as --plan int8"),
        (
            ("--rule", "entropy"),
            "--rule is 'entropy'; expected min-max or percentile or least-squares",
        ),
        (
            ("--rule", "percentile", "--percent", 101),
            "percent is 101.0; expected a number above 0 and at most 100",
        ),
        (("--percent", 99), "--percent is for --rule percentile; the rule is least-squares"),
        (("--images", 0), "at least one picture, and the number is 0"),
        (("--plan", "int9-static"), "unknown plan 'int9'"),
        (("--out", "{run}", "--data", "folder:none"), "is a folder; expected the name of a file"),
        (("--out", "{run}/ternary.npz"), "the model itself, which would be overwritten"),
    ],
)
def test_wrong_options_are_refused(tervit, run, args, words):
    code, _, error = tervit("calibrate", run, *(str(a).format(run=run) for a in args))
    assert (code, len(error.splitlines())) == (2, 1)
    assert words in error


def test_packed_files_and_uncalibrated_plans_are_refused(tervit, run, tmp_path):
    tervit("export", run, "--out", tmp_path / "x.safetensors")
    code, _, error = tervit("calibrate", tmp_path / "x.safetensors")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "is packed and has no latent weights" in error
    for command in ("eval", "export"):
        code, _, error = tervit(command, run, "--plan", "ternary-static")
        assert (code, len(error.splitlines())) == (2, 1)
        assert "has no scale yet: calibrate the model with pictures, by tv.calibrate or" in error
    assert not (run / "packed.safetensors").exists()


def test_a_stage_may_be_static(tervit, pictures, tmp_path):
    code, out, _ = tervit(
        "train", "--data", f"folder:{pictures}", "--stages", "int8-static:1,ternary-static:1",
        "--out", tmp_path / "run", "--model", "deit_shapes", "--batch-size", 16,
        "--validation", 8, "--quiet",
    )  # fmt: skip
    assert code == 0
    assert re.search(r"8-bit-static [\d.]+  ternary-static [\d.]+$", out)
    assert tervit("eval", tmp_path / "run")[0] == 0
