import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tervit_np as tv
from tervit_np.cli import main
from tervit_np.cli.stage_options import parse_stages
from tervit_np.train import PRESETS

ROOT = Path(__file__).parents[2]
SMALL = ("--model", "deit_shapes", "--batch-size", 16, "--validation", 8, "--quiet")


def test_a_run_fills_its_folder_and_ends_with_the_accuracies(tervit, pictures, tmp_path):
    out = tmp_path / "run"
    code, text, _ = tervit(
        "train", "--data", f"folder:{pictures}", "--stages", "float:2,int8:1,ternary:1",
        "--teacher", "float", "--out", out, *SMALL,
    )  # fmt: skip
    assert code == 0
    assert re.fullmatch(
        r"test accuracy: float [\d.]+  8-bit [\d.]+  ternary [\d.]+", text.splitlines()[-1]
    )
    names = {file.name for file in out.iterdir()}
    assert {"run.json", "metrics.jsonl", "report.html", "ternary.npz"} <= names
    stages = json.loads((out / "run.json").read_text())["stages"]
    assert [stage["teacher"] for stage in stages] == [None, "float", "float"]

    again, text2, _ = tervit("train", "--resume", out, "--quiet")
    assert (again, text2.splitlines()[-1]) == (0, text.splitlines()[-1])


def test_the_images_and_classes_are_said_before_the_training(tervit, pictures, tmp_path):
    data, args = f"folder:{pictures}", [arg for arg in SMALL if arg != "--quiet"]
    args += ["--stages", "float:1", "--out", tmp_path / "x"]
    error = tervit("train", "--data", data, *args)[2]
    drawn = "val 8 (held out of train by class, seed 0)"
    assert error.splitlines()[0] == f"{data}: train 88, {drawn}, test 32 images of 2 classes: " + (
        "bright, dark"
    )


def test_a_folder_without_splits_is_trained_tested_and_validated(tervit, pictures, tmp_path):
    """The test pictures are set aside by the name of the set, those for validation by the run."""
    (tmp_path / "flat").mkdir()
    for name in ("bright", "dark"):
        (tmp_path / "flat" / name).symlink_to(pictures / "train" / name)
    data, out = f"folder:{tmp_path}/flat,test=0.25", tmp_path / "run"
    args = ("--data", data, "--model", "deit_shapes", "--batch-size", 16, "--stages", "float:1")
    code, _, error = tervit("train", *args, "--validation", 0.1, "--seed", 3, "--out", out)
    assert code == 0
    held_out = "val 7 (held out of train by class, seed 3)"
    assert f"{data}: train 65, {held_out}, test 24 images" in error
    stored = json.loads((out / "run.json").read_text())["data"]
    assert (stored["name"], stored["val"], stored["held_out"]) == (data, 7, "by class, seed 3")
    assert re.search(r"bright +\d+\.\d %  of 12", tervit("eval", out)[1])
    validated = tervit("eval", out, "--split", "val")[1]
    assert " val accuracy " in validated
    assert re.findall(r"of (\d)$", validated, re.MULTILINE) in (["4", "3"], ["3", "4"])
    assert tervit("train", "--resume", out, "--quiet")[0] == 0
    code, _, error = tervit("eval", out, "--split", "val", "--data", f"folder:{tmp_path}/flat")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "has no split 'val'" in error


@pytest.mark.parametrize("text", ["1.5", "-1", "few", "nan"])
def test_a_validation_that_is_no_number_of_images_is_refused(tervit, text):
    code, _, error = tervit("train", "--validation", text)
    assert (code, len(error.splitlines())) == (2, 1)
    assert f"{text!r} is neither a number of images nor a fraction such as 0.1" in error


def test_one_class_is_refused(tervit, pictures, tmp_path):
    """As it comes of a folder of pictures without class folders."""
    for split in ("train", "test"):
        (tmp_path / "one" / split).mkdir(parents=True)
        (tmp_path / "one" / split / "all").symlink_to(pictures / split / "bright")
    code, _, error = tervit("train", "--data", f"folder:{tmp_path}/one", *SMALL)
    assert (code, len(error.splitlines())) == (2, 1)
    assert "has one class, 'all'; expected at least two" in error


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--data", "mnist"), "mnist"),
        (("--stages", "float"), "'float' is not PLAN:EPOCHS"),
        (("--stages", "trinary:3"), "unknown plan 'trinary'; did you mean ternary?"),
        (("--stages", "int9:3"), "lsqplusN and dorefaN for N-bit weights, N = 2 to 8 "),
        (("--stages", "float:two"), "'float:two' is not PLAN:EPOCHS"),
        (
            ("--stages", "float:1,ternary-group48:1", "--quiet"),
            "stage ternary-group48: its plan does not fit the model: the weights of blocks.0.attn",
        ),
        (
            ("--stages", "float:1", "--teacher", "float8"),
            "--teacher is 'float8'; expected one of the stages float",
        ),
        (
            ("--stages", "float:1,ternary:1", "--teacher", "ternary"),
            "'ternary', the last stage, so that no later one could learn from it; name an earlier",
        ),
        (
            ("--stages", "float:1", "--teacher", "float"),
            "'float', the last stage, so that no later one could learn from it; add a stage behind",
        ),
        (("--model", "resnet50"), "unknown model 'resnet50'"),
        (("--resume", "no/such/run"), "does not exist; expected the folder of a run"),
        (("--threads", "0"), "at least 1"),
        (("--epochs", "3"), "set epochs and learning rates with --stages"),
        (("--lr=1e-3",), "no option --lr; set epochs and learning rates with --stages"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_2(tervit, pictures, tmp_path, args, words):
    defaults = {"--data": f"folder:{pictures}", "--out": tmp_path / "run"}
    options = [x for pair in defaults.items() if pair[0] not in args for x in pair]
    code, _, error = tervit("train", *options, "--validation", 8, *args)
    assert code == 2
    assert words in error
    assert len(error.strip().splitlines()) == 1
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


def test_a_packed_file_cannot_be_trained(tervit, pictures, tmp_path):
    model = tv.quantize(tv.create_model("deit_shapes"), "ternary")
    tv.export(model, tmp_path / "packed.safetensors")
    args = ("--data", f"folder:{pictures}", "--weights", tmp_path / "packed.safetensors")
    code, _, error = tervit("train", *args, "--out", tmp_path / "run", *SMALL)
    assert (code, len(error.splitlines())) == (2, 1)
    assert "packed.safetensors is a packed file: it has codes and no latent weights" in error


def test_the_recipe_is_shown_without_training(tervit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    args = ("--stages", "float:3,int4:2@5e-4", "--mixup", 0.3, "--batch-size", 32, "--invert", 0.5)
    code, text, _ = tervit("train", "--show-recipe", "--precision", "bf16x2", *args)
    assert code == 0
    shown = dict(line.split(None, 1) for line in text.splitlines() if "augment" not in line)
    assert shown["model"] == PRESETS["shapes"].model
    assert (shown["batch_size"], shown["precision"]) == ("32", "bf16x2")
    rates = "peak learning rate 0.0005, at the end 5e-06, warm-up 0.1 epochs"
    assert shown["stage"] == f"4-bit: plan int4, 2 epochs, {rates}"
    assert re.search(r"^augment mixup +0\.3$", text, re.MULTILINE)
    assert re.search(r"^augment invert +0\.5$", text, re.MULTILINE)
    assert not list(tmp_path.iterdir())


def test_the_shown_recipe_has_what_changes_the_model(tervit):
    """Drop path is in the preset's configuration of the model, and not in its recipe."""
    preset = "train", "--show-recipe", "--preset", "imagenet"
    assert re.search(r"^model drop_path +0\.1$", tervit(*preset)[1], re.MULTILINE)
    text = tervit(*preset, "--drop-path", 0.3, "--window", 8, "--freeze", "patch_embed")[1]
    assert re.search(r"^model drop_path +0\.3$", text, re.MULTILINE)
    assert re.search(r"^model window +8$", text, re.MULTILINE)
    stages = re.findall(r"^stage .*$", text, re.MULTILINE)
    assert len(stages) == 3
    assert all(stage.endswith(", without training patch_embed") for stage in stages)


def test_a_float_twin_has_the_rates_of_the_preset(tervit):
    args = "train", "--show-recipe", "--preset", "cifar10"
    stages = [
        re.findall(r"^stage .*$", tervit(*args, *more)[1], re.MULTILINE)
        for more in ((), ["--float-twin"])
    ]
    for (preset, twin), old in zip(
        zip(*stages, strict=True), ("float", "int8", "ternary"), strict=True
    ):
        assert f"plan {old}," in preset and "plan float," in twin
        assert preset.partition(",")[2] == twin.partition(",")[2]
    for option in (("--plan", "int4"), ("--ramp", 0.5)):
        code, _, error = tervit("train", "--float-twin", *option)
        assert (code, len(error.splitlines())) == (2, 1)
        assert f"makes all weights float; it leaves no use for {option[0]}" in error


def test_a_fused_schedule_and_a_ramp_are_shown(tervit):
    """--schedule fused makes the preset of its stages, at the rate of the first one."""
    args = "train", "--show-recipe", "--data", "cifar10"
    stages = "float:3@4e-3,int8:0.5,ternary:7.5"
    fused = tervit(*args, "--stages", stages, "--schedule", "fused")[1]
    assert fused == tervit(*args)[1]
    each = tervit(*args, "--stages", stages, "--schedule", "each")[1]
    assert each == tervit(*args, "--stages", stages)[1] != fused
    ramped = tervit(*args, "--ramp", 0.5)[1]
    assert "ternary, 7.5 epochs, " in ramped
    assert ramped.replace(", weight quantizers fade in over 3.75 epochs", "") == fused
    code, _, error = tervit(*args, "--stages", f"{stages}@1e-3", "--schedule", "fused")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "has one peak learning rate; give it to the first of the --stages alone: flo" in error


def test_a_preset_is_chosen_by_name(tervit):
    code, text, _ = tervit("train", "--show-recipe", "--preset", "cifar10", "--cutout", 8)
    assert code == 0
    assert re.search(r"^model +deit_cifar_conv$", text, re.MULTILINE)
    assert re.search(r"^augment alternate_flip +True$", text, re.MULTILINE)
    assert re.search(r"^augment cutout +8$", text, re.MULTILINE)
    kept = "learning rate 0.004, at the end 4e-05, keeps the optimizer's state"
    assert re.search(rf"^stage +ternary: .*{kept}$", text, re.MULTILINE)
    swin = tervit("train", "--show-recipe", "--preset", "cifar10-swin")[1]
    assert swin.count("weight quantizers fade in over 3.75 epochs") == 1
    code, _, error = tervit("train", "--show-recipe", "--preset", "vgg")
    assert (code, len(error.splitlines())) == (2, 1)
    known = "shapes, cifar10, cifar10-swin, cifar10-long, cifar10-wide, cifar10-adamw, imagenet"
    assert f"unknown preset 'vgg'; known: {known}" in error


def test_pictures_that_are_decoded_while_training_are_not_mirrored_alternately(
    tervit, pictures, tmp_path
):
    args = ("--data", f"imagenet:{pictures},size=16", "--alternate-flip", "--out", tmp_path / "r")
    code, _, error = tervit("train", *args, "--model", "deit_shapes", "--stages", "float:1")
    assert (code, error.splitlines()[-1][:13]) == (2, "tervit train:")
    assert "alternate_flip is for images in memory" in error


def test_a_report_of_one_stage_says_what_it_began_with(tervit, pictures, tmp_path, monkeypatch):
    """And the last line names what to do next; the title has no folders."""
    data = f"folder:{pictures}"
    args = [arg for arg in SMALL if arg != "--quiet"]
    for out, weights, words in (
        ("first", (), "after one epoch of training as float from random weights"),
        ("second", ("--weights", tmp_path / "first"), "as float, beginning with first"),
    ):
        folder = tmp_path / out
        call = ("train", "--data", data, "--stages", "float:1", "--out", folder, *weights, *args)
        monkeypatch.setattr(sys, "argv", ["tervit", *map(str, call)])  # the record of a command
        _, text, _ = tervit(*call)
        assert text.splitlines()[-3] == "next: open the report in a browser"
        page = (folder / "report.html").read_text("utf-8")
        assert words in page
        assert f"<h1>folder:{pictures.name}: float</h1>" in page


def test_stages_take_their_rates_from_the_preset():
    preset = PRESETS["shapes"]
    stages = parse_stages("float:2, int4:1, ternary:0.5@3e-4", preset)
    assert [s.name for s in stages] == ["float", "4-bit", "ternary"]
    assert [s.epochs for s in stages] == [2, 1, 0.5]
    assert stages[0].lr == preset.stages[0].lr
    assert stages[2].lr == 3e-4


@pytest.mark.parametrize(
    ("number", "reason", "advice"),
    [
        (28, "No space left on device", "free space and continue"),
        (5, "Input/output error", "continue"),
        pytest.param(122, "Disk quota exceeded", "free space and continue", marks=pytest.mark.slow),
        pytest.param(30, "Read-only file system", "continue", marks=pytest.mark.slow),
    ],
)
def test_the_error_for_a_disk_says_how_to_continue(
    tervit, pictures, tmp_path, monkeypatch, number, reason, advice
):
    """The second stage's file is not written; afterwards the run is finished."""
    from tervit_np.checkpoints import npz

    out = tmp_path / "run"
    write = npz.write_npz

    def full(path, *args):
        if path.name == "ternary.npz":
            raise OSError(number, reason)
        write(path, *args)

    monkeypatch.setattr(npz, "write_npz", full)
    args = ("--data", f"folder:{pictures}", "--stages", "float:1,ternary:2", "--out", out)
    code, _, error = tervit("train", *args, *SMALL)
    assert code == 2
    assert f"{reason}; {advice} with `tervit train --resume {out}`" in error
    monkeypatch.setattr(npz, "write_npz", write)
    code, text, _ = tervit("train", "--resume", out, "--quiet")
    assert code == 0
    assert "ternary" in text.splitlines()[-1]


def test_ctrl_c_saves_and_resuming_finishes(pictures, tmp_path, popen):
    out = tmp_path / "run"
    run = popen(
        "train", "--data", f"folder:{pictures}", "--stages", "float:2000", "--out", out, *SMALL
    )
    run.wait_for_file(out / "metrics.jsonl", "step")
    run.interrupt()
    code, _, error = run.finish()
    assert code == 130
    assert "everything is saved" in error
    assert f"tervit train --resume {out}" in error
    assert (out / "checkpoint.npz").exists()


@pytest.fixture(scope="module")
def finished(tmp_path_factory, pictures):
    """A finished run of two short stages."""
    out = tmp_path_factory.mktemp("runs") / "run"
    args = ["train", "--data", f"folder:{pictures}", "--stages", "float:2,ternary:1", "--out", out]
    assert main([str(arg) for arg in (*args, *SMALL)]) == 0
    return out


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.mark.parametrize(
    "option",
    [
        ("--seed", 0), ("--seed", 5), ("--stages", "float:9"), ("--data", "shapes"), ("--out", "x"),
        ("--batch-size", 32), ("--ema", 0.5), ("--model", "swin_cifar"), ("--recompute",),
        ("--freeze", "head"), ("--mixup", 0.1), ("--accumulate", 2),
        ("--validation", 8), ("--weights", "x.npz"), ("--alternate-flip",),
        ("--no-alternate-flip",),
    ],
)  # fmt: skip
def test_options_that_a_run_cannot_change_are_refused(tervit, run, option):
    before = (run / "report.html").stat().st_mtime_ns
    code, _, error = tervit("train", "--resume", run, *option)
    assert code == 2
    assert f"train: {option[0]} cannot be given with --resume" in error
    assert (run / "report.html").stat().st_mtime_ns == before


def test_lower_rates_are_for_a_run_that_is_not_finished(tervit, run):
    code, _, error = tervit("train", "--lower-lr", 0.1)
    assert code == 2 and "add --resume RUN" in error
    code, _, error = tervit("train", "--resume", run, "--lower-lr", 0.1)
    assert code == 2 and "all stages are finished" in error


def test_options_that_change_no_bit_are_obeyed(tervit, run):
    code, _, error = tervit("train", "--resume", run, "--threads", 1, "--workers", 1, "--quiet")
    assert (code, error) == (0, "")
    code, _, error = tervit("train", "--resume", run, "--threads", 0)
    assert code == 2 and "--threads is 0; expected at least 1" in error
    code, _, error = tervit("train", "--resume", run, "--workers", -3)
    assert code == 2 and "--workers is -3; expected at least 1" in error


def test_a_lost_checkpoint_does_not_cost_the_finished_stages(tervit, run):
    for file in ("checkpoint.npz", "checkpoint-1.npz"):
        (run / file).unlink()
    before = {file.name: file.read_bytes() for file in run.iterdir()}
    code, _, error = tervit("train", "--resume", run)
    assert code == 2
    assert "checkpoint.npz is missing" in error
    assert {file.name: file.read_bytes() for file in run.iterdir()} == before


@pytest.mark.parametrize("left", [0, 300, None])
def test_after_lost_metrics_the_report_is_written(tervit, run, left):
    if left is None:
        (run / "metrics.jsonl").unlink()
    else:
        os.truncate(run / "metrics.jsonl", left)
    (run / "report.html").unlink()
    code, text, error = tervit("train", "--resume", run, "--quiet")
    assert code == 0
    assert error.count("has lost lines") == 1
    assert "test accuracy: float" in text
    assert "metrics.jsonl has lost lines" in (run / "report.html").read_text()
    assert b"\0" not in (run / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize("stage", ["float", "ternary"])
def test_a_report_without_a_lost_model_says_so(tervit, run, stage):
    (run / f"{stage}.npz").unlink()
    assert tervit("train", "--resume", run, "--quiet")[0] == 0
    assert f"{stage}.npz is missing." in (run / "report.html").read_text()


def test_a_report_that_fails_does_not_cost_the_last_lines(tervit, run, monkeypatch):
    def broken(*args, **options):
        raise OSError("the disk is on fire")

    monkeypatch.setattr("tervit_np.analysis.report.write_report", broken)
    code, text, error = tervit("train", "--resume", run, "--quiet")
    assert code == 2
    assert text.startswith("test accuracy: float")
    assert "no report: the disk is on fire" in error


def test_a_figure_that_fails_does_not_cost_the_report(tervit, run, monkeypatch):
    def broken(*args, **options):
        raise ParseError("no formula")

    class ParseError(Exception):
        pass

    monkeypatch.setattr("tervit_np.analysis.svg.to_svg", broken)
    code, _, error = tervit("train", "--resume", run, "--quiet")
    assert code == 0
    assert "lacks a figure: a figure could not be drawn (ParseError: no formula)" in error
    assert "A figure is missing here" in (run / "report.html").read_text()


def test_a_run_is_locked_while_it_trains(tervit, pictures, tmp_path, popen):
    out = tmp_path / "run"
    args = ("train", "--data", f"folder:{pictures}", "--stages", "float:2000", "--out", out, *SMALL)
    first = popen(*args)
    first.wait_for_file(out / "metrics.jsonl", "step")
    for second in (args, ("train", "--resume", out)):
        code, _, error = tervit(*second)
        assert code == 2
        assert "already holds a run" in error or f"in use by process {first.process.pid}" in error
    first.interrupt()
    assert first.finish()[0] == 130
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines if line["kind"] == "step"]
    assert steps == sorted(set(steps))


def test_two_runs_without_a_name_get_two_folders(pictures, tmp_path, popen, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *sys.path]))
    args = ("train", "--data", f"folder:{pictures}", "--stages", "float:2000", *SMALL)
    runs = [popen(*args, "--seed", seed) for seed in (1, 2)]
    while len(list(tmp_path.glob("runs/*/metrics.jsonl"))) < len(runs):
        assert [run.process.poll() for run in runs] == [None, None]
        time.sleep(0.05)
    for metrics in tmp_path.glob("runs/*/metrics.jsonl"):
        runs[0].wait_for_file(metrics, "step")
    for run in runs:
        run.interrupt()
    assert [run.finish()[0] for run in runs] == [130, 130]
    folders = sorted((tmp_path / "runs").iterdir())
    seeds = [json.loads((folder / "run.json").read_text())["seed"] for folder in folders]
    assert sorted(seeds) == [1, 2]


def test_a_machine_with_other_last_bits_is_said_when_a_run_is_resumed(tervit, run):
    config = json.loads((run / "run.json").read_text())
    del config["checksum"]
    config["environment"] |= {"last bits": "are decimal", "processor": "Difference Engine"}
    (run / "run.json").write_text(json.dumps(config))
    code, _, error = tervit("train", "--resume", run, "--quiet")
    assert code == 0
    (line,) = error.splitlines()
    assert "processor was Difference Engine and is now" in line
    assert "last bits was are decimal and is now" in line
    assert "may differ" in line


HOSTILE = [
    "$\\frac{$",
    "$5",
    "a_b^c$x$",
    "\x1b[31mred",
    "<script>alert(1)</script>",
    "猫",
    "\udcff\udcfe",
]


def test_no_class_name_prevents_the_report(shell, tmp_path):
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("test", 2)):
        for name in HOSTILE:
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    out = tmp_path / "run"
    done = shell(
        "train", "--data", f"folder:{tmp_path / 'data'}", "--stages", "float:1", "--out", out,
        "--model", "deit_shapes", "--batch-size", 8, "--validation", 4, "--quiet",
        PYTHONIOENCODING="ascii", PYTHONUTF8="0", MPLBACKEND="module://nowhere.to_be_found",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "test accuracy: float" in done.stdout
    assert "A figure is missing" not in (out / "report.html").read_text("utf-8")
    evaluated = shell("eval", out, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert evaluated.returncode == 0
    assert "\x1b" not in evaluated.stdout
    assert "+-" in evaluated.stdout
