"""`--plan FILE` and plan files in `--stages`, in every command that takes a plan."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tervit_np as tv
from tervit_np.cli.stage_options import parse_stages
from tervit_np.quant import PLANS, read_plan_file, write_plan_file
from tervit_np.quant.plan_file import check_fits
from tervit_np.train import PRESETS

ROOT = Path(__file__).parents[2]
SMALL = ("--model", "deit_shapes", "--batch-size", 16, "--validation", 8, "--quiet")
MIXED = """
[[layer]]
pattern = 'blocks\\.0\\.mlp\\.fc1'
weights = "int8"
inputs = "int8"

[[layer]]
pattern = 'patch_embed\\.proj|head|.*\\.(qkv|proj|fc1|fc2)'
weights = "ternary"
inputs = "int8"
"""


@pytest.fixture
def mixed(tmp_path):
    """A plan file with one layer in 8 bits."""
    (tmp_path / "mixed.toml").write_text(MIXED)
    return tmp_path / "mixed.toml"


def test_a_stage_has_the_name_of_its_plan_file_without_spaces(mixed):
    spaced = mixed.rename(mixed.with_name("my plan, old.toml"))
    with pytest.raises(ValueError, match="is not PLAN:EPOCHS"):  # a comma ends a stage
        parse_stages(f"{spaced}:2", PRESETS["shapes"])
    spaced = spaced.rename(mixed.with_name("my plan.toml"))
    assert [s.name for s in parse_stages(f"float:1,{spaced}:2", PRESETS["shapes"])] == [
        "float",
        "my-plan",
    ]


@pytest.fixture(scope="module")
def run(pictures, scratch, tmp_path_factory):
    """A run of one float stage on bright and dark pictures."""
    out = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERVIT_DATA", str(scratch))
        data = tv.train.load_data(f"folder:{pictures}@16", 8)
    config = tv.DeiTConfig(16, 8, 2, 16, 2, 2, pool="mean", init="xavier")
    model = tv.DeiT(config, np.random.default_rng(0))
    stages = [tv.train.Stage("float", "float", 2)]
    recipe = tv.train.Recipe(batch_size=8)
    tv.train.run(model, stages, data, out, recipe=recipe, quiet=True)
    return out


def test_a_run_trains_by_a_file_and_needs_it_no_more(tervit, pictures, tmp_path, mixed):
    out = tmp_path / "run"
    args = ("--data", f"folder:{pictures}", "--stages", f"float:1,{mixed}:1@1e-3", "--out", out)
    code, text, _ = tervit("train", *args, *SMALL)
    assert code == 0
    assert re.search(r"float [\d.]+  mixed [\d.]+$", text)
    model, _ = tv.load_model(out / "mixed.npz")
    kinds = {name: repr(layer.weight_quant) for name, layer in model.quantizable()}
    assert kinds["blocks.0.mlp.fc1"] == "int8 (channel)"
    assert kinds["blocks.1.mlp.fc1"].startswith("ternary")
    stage = json.loads((out / "run.json").read_text())["stages"][1]
    assert (stage["name"], stage["lr"]) == ("mixed", 1e-3)
    assert stage["plan"][0][0] == r"blocks\.0\.mlp\.fc1"
    mixed.unlink()
    assert tervit("train", "--resume", out, "--quiet")[0] == 0


def test_plan_replaces_that_of_the_last_stage(tervit, mixed):
    text = tervit("train", "--plan", mixed, "--show-recipe")[1]
    assert re.search(r"^stage +mixed: plan of 2 entries, 8 epochs", text, re.MULTILINE)
    assert re.search(r"^stage +8-bit: plan int8, 2 epochs", text, re.MULTILINE)
    text = tervit("train", "--plan", "int4", "--show-recipe")[1]
    assert re.search(r"^stage +4-bit: plan int4, 8 epochs", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--plan", "{plan}", "--stages", "float:1"), "--plan cannot be given with --stages"),
        (("--stages", "float:1,none.toml:2"), "none.toml: no such file; expected a plan in TOML"),
        (("--stages", "{plan}:two"), "is not PLAN:EPOCHS"),
        (("--stages", "{deep}:1"), "deep.toml: 'blocks.9' matches no layer"),
        (("--plan", "{deep}",), "deep.toml: 'blocks.9' matches no layer"),
        (("--plan", "trinary"), "unknown plan 'trinary'; did you mean ternary?"),
        (("--plan", "nonsense"), "or a plan file, whose name ends in .toml"),
    ],
)  # fmt: skip
def test_wrong_plans_are_refused_before_training(tervit, pictures, tmp_path, mixed, args, words):
    deep = tmp_path / "deep.toml"
    deep.write_text("[[layer]]\npattern = 'blocks.9'\nweights = 'int8'\ninputs = 'int8'\n" + MIXED)
    args = [arg.format(plan=mixed, deep=deep) for arg in args]
    out = tmp_path / "run"
    code, _, error = tervit("train", "--data", f"folder:{pictures}", "--out", out, *SMALL, *args)
    assert (code, len(error.strip().splitlines())) == (2, 1)
    assert words in error
    assert not out.exists()


def test_eval_predict_and_export_quantize_by_a_file(tervit, run, tmp_path, mixed):
    """As the packed file, whose size is that of `tervit size`."""
    out = tmp_path / "small.safetensors"
    assert tervit("export", run, "--plan", mixed, "--out", out)[0] == 0
    accuracy = [tervit("eval", *args)[1].splitlines()[-1].partition("accuracy ")[2]
                for args in ((run, "--plan", mixed), (out,))]  # fmt: skip
    assert accuracy[0] == accuracy[1] != ""
    picture = tmp_path / "x.png"
    Image.new("RGB", (20, 20), (90, 80, 70)).save(picture)
    by_plan = tervit("predict", run, picture, "--plan", mixed)[1]
    assert by_plan == tervit("predict", out, picture)[1]
    assert "%" in by_plan
    sizes = [tervit("size", *args)[1].splitlines()[1:8]
             for args in ((run, "--plan", mixed), (out,))]  # fmt: skip
    assert sizes[0] == sizes[1]
    layers = tervit("size", run, "--plan", mixed, "--layers")[1]
    assert re.search(r"^blocks.0.mlp.fc1 .* 8 / 8", layers, re.MULTILINE)
    assert re.search(r"^blocks.1.mlp.fc1 .* ternary / 8", layers, re.MULTILINE)


@pytest.mark.parametrize("command", ["eval", "export", "size", "predict"])
def test_a_file_that_does_not_fit_is_refused_by_each_command(tervit, run, tmp_path, command):
    plan = tmp_path / "p.toml"
    plan.write_text("[[layer]]\npattern = 'haed'\nweights = 'int8'\ninputs = 'int8'\n")
    picture = ["x.png"] if command == "predict" else []
    code, _, error = tervit(command, run, *picture, "--plan", plan)
    assert (code, len(error.splitlines())) == (2, 1)
    assert "p.toml: 'haed' matches no layer; the layers are patch_embed.proj, " in error


def test_a_named_plan_is_written_as_a_file_to_begin_with(tervit, tmp_path):
    out = tmp_path / "plan.toml"
    code, text, _ = tervit("size", "deit_shapes", "--write-plan", out)
    assert code == 0
    assert text.splitlines()[0] == f"{out}: 2 entries"
    assert repr(read_plan_file(out)) == repr(PLANS["ternary"])
    again = tervit("size", "deit_shapes", "--plan", out)[1].splitlines()
    assert again[1:] == text.splitlines()[3:]
    code, _, error = tervit("size", "deit_shapes", "--plan", out, "--write-plan", out)
    assert code == 2
    assert "the plan that is read, which would be overwritten; name another file" in error


def test_the_entries_of_a_written_plan_are_counted_with_that_of_the_rest(tervit, tmp_path):
    """A plan of nothing becomes one entry, which leaves all layers float."""
    out = tmp_path / "plan.toml"
    text = tervit("size", "deit_shapes", "--plan", "float", "--write-plan", out)[1]
    assert text.splitlines()[0] == f"{out}: 1 entry"
    assert len(read_plan_file(out).rules) == 1


@pytest.mark.parametrize("command", ["export", "calibrate"])
def test_the_plan_that_is_read_is_not_overwritten(tervit, run, mixed, command):
    code, _, error = tervit(command, run, "--plan", mixed, "--out", mixed)
    assert (code, len(error.splitlines())) == (2, 1)
    assert f"--out is {mixed}, the plan that is read, which would be overwritten" in error
    assert mixed.read_text() == MIXED


def test_a_written_plan_does_not_replace_its_model(tervit, run):
    before = (run / "float.npz").read_bytes()
    for model in (run, run / "float.npz"):
        code, _, error = tervit("size", model, "--write-plan", run / "float.npz")
        assert (code, len(error.splitlines())) == (2, 1)
        assert "float.npz, the model itself, which would be overwritten" in error
    assert (run / "float.npz").read_bytes() == before


def test_a_file_with_the_name_of_a_plan_is_not_that_plan(tervit, run, tmp_path, monkeypatch):
    """--plan ternary reads no file."""
    monkeypatch.chdir(tmp_path)
    assert tervit("export", run, "--plan", "ternary", "--out", "ternary")[0] == 0


def test_a_gradient_check_takes_a_file(tervit, tmp_path):
    write_plan_file(PLANS["int8"], tmp_path / "p.toml")
    args = ("--model", "deit_shapes", "--plan", tmp_path / "p.toml", "--budget", 0.001)
    assert tervit("check", *args)[0] == 0


def test_the_examples_of_the_page_fit_a_model(tmp_path):
    text = (ROOT / "docs" / "plans.md").read_text("utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 2
    layers = tv.create_model("deit_shapes").quantizable()
    for example in examples:
        (tmp_path / "p.toml").write_text(example)
        check_fits(read_plan_file(tmp_path / "p.toml"), layers)


def test_the_page_quotes_the_sizes_of_models(tervit):
    text = " ".join((ROOT / "docs" / "plans.md").read_text(encoding="utf-8").split())
    models = {"deit_shapes": "has {} kB with the plan `int8` and {} kB",
              "deit_small_patch16_224": "has {} and {} MB"}  # fmt: skip
    for model, said in models.items():
        sizes = [tervit("size", model, "--plan", plan)[1] for plan in ("int8", "int4")]
        stored = [float(size.splitlines()[-1].split()[3]) for size in sizes]
        digits = 1 if "kB" in said else 2
        assert said.format(*(f"{number:.{digits}f}" for number in stored)) in text
