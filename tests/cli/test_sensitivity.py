"""`tervit sensitivity` on a run that a fixture trains once."""

import argparse
import concurrent.futures
import json
import re
import shutil

import pytest

import tervit_np as tv
from data_tools.lock import locked
from tervit_np.analysis import sensitivity
from tervit_np.cli.options import byte_count
from tervit_np.quant.plan_file import check_fits, read_plan_file

FEW = ("--images", 6, "--quiet", "--threads", 2)


@pytest.fixture(scope="module")
def finished(pictures, scratch, tmp_path_factory):
    """A run of a float and a ternary stage on bright and dark pictures; 16 are held out."""
    out = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERVIT_DATA", str(scratch))
        data = tv.train.load_data(f"folder:{pictures}", 16)
    model = tv.create_model("deit_shapes", num_classes=2)
    stages = [tv.train.Stage("float", "float", 2), tv.train.Stage("ternary", "ternary", 1)]
    recipe = tv.train.Recipe(batch_size=8)
    tv.train.run(model, stages, data, out, recipe=recipe, quiet=True)
    return out


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture
def measured(monkeypatch):
    """Count measurements.  -> a list with an item for each."""
    calls, measure = [], sensitivity.measure
    monkeypatch.setattr(sensitivity, "measure", lambda *args: calls.append(1) or measure(*args))
    return calls


def test_the_last_float_stage_is_measured(tervit, run):
    code, text, error = tervit("sensitivity", run, *FEW)
    assert code == 0
    assert f"{run / 'float.npz'} on 6 images of folder:" in text.splitlines()[0]
    assert text.splitlines()[0].endswith(" val")
    rows = re.findall(r"^  (\S+) +\d+\.\d  [+-]\d\.\d{3}", text, re.MULTILINE)
    model, _ = tv.load_model(run / "float.npz")
    assert rows == [name for name, layer in model.quantizable() if layer.weight is not None]
    assert (run / "sensitivity.png").exists()
    assert json.loads((run / "sensitivity.json").read_text())["settings"]["images"] == 6
    assert not (run / "sensitivity.partial").exists()
    assert not (run / "mixed.toml").exists()
    assert error == ""


def test_without_validation_images_training_images_are_measured(tervit, finished, tmp_path):
    """A file that is copied out of its run does not say which images the run held out."""
    shutil.copy(finished / "float.npz", tmp_path)
    code, text, error = tervit("sensitivity", tmp_path / "float.npz", *FEW)
    assert code == 0
    assert text.splitlines()[0].endswith(" train")
    assert "there is no validation split, so training images are measured" in error


def test_a_plan_fits_its_model_and_its_bytes(tervit, run, tmp_path):
    code, text, _ = tervit("sensitivity", run, "--share", 0.5, *FEW)
    assert code == 0
    model, _ = tv.load_model(run / "float.npz")
    plan = read_plan_file(run / "mixed.toml")
    check_fits(plan, model.quantizable())
    said = re.search(r"plan: \S+mixed.toml, 8 bits for (\d+) of 18 layers, ([\d.]+) kB", text)
    shown = tervit("size", run / "float.npz", "--plan", run / "mixed.toml")[1].splitlines()
    assert float(said[2]) == pytest.approx(float(shown[-1].split()[3]), abs=0.051)
    assert len(plan.rules) == int(said[1]) + 1
    assert text.count("\n* ") == int(said[1])
    stages = f"{run / 'mixed.toml'}:1"
    data = json.loads((run / "run.json").read_text())["data"]["name"]
    assert text.splitlines()[-1].endswith(f"--stages {run / 'mixed.toml'}:8 --data {data}")
    args = ("--data", data, "--validation", 8, "--batch-size", 8, "--quiet")
    args += ("--weights", run / "float.npz", "--stages", stages, "--out", tmp_path / "mixed")
    assert tervit("train", *args)[::2] == (0, "")


def test_a_second_plan_needs_no_second_measurement(tervit, run, monkeypatch):
    tervit("sensitivity", run, *FEW)
    before = json.loads((run / "sensitivity.json").read_text())
    monkeypatch.setattr("tervit_np.analysis.sensitivity.measure", None)
    plan = run.parent / "mine.toml"
    assert tervit("sensitivity", run, "--bytes", "120kB", "--write-plan", plan, *FEW)[0] == 0
    assert json.loads((run / "sensitivity.json").read_text()) == before
    assert "# Made by tervit" in plan.read_text()


def test_other_weights_or_images_are_measured_anew(tervit, run):
    first = tervit("sensitivity", run, *FEW)[1]
    assert tervit("sensitivity", run, *FEW, "--seed", 1)[1] != first
    code, _, error = tervit("sensitivity", run, *FEW, "--stage", "ternary")
    assert code == 0
    assert "ternary.npz was trained with rounded weights" in error


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--share", 2), "a share is between 0"),
        (
            ("--bytes", "many"),
            "'many' is not a size in bytes; expected something like",
        ),
        (("--bytes", "1kB"), "1,000 bytes are too few: with all layers ternary the model has"),
        (("--bytes", "1kB", "--share", 0.2), "not allowed with"),
        (("--images", 1), "at least 2 are needed"),
        (("--split", "extra"), "no split 'extra'"),
        (("--write-plan", "x.toml"), "--write-plan needs the size of the plan"),
        (("--out", "none"), "there is no folder none"),
        (("--share", 0.5, "--write-plan", "{run}/none/x"), "there is no folder"),
        (("--share", 0.5, "--write-plan", "{run}"), "is a folder; expected the name of a file"),
        (("--share", 0.5, "--write-plan", "{run}/float.npz"), "--write-plan is"),
        (("--share", 0.5, "--write-plan", "{run}/sensitivity.json"), "the file of measurements"),
        (("--share", 0.5, "--write-plan", "{run}/sensitivity.png"), "the figure, which would be"),
    ],
)
def test_wrong_options_are_refused(tervit, run, args, words):
    code, _, error = tervit("sensitivity", run, *FEW, *(str(arg).format(run=run) for arg in args))
    assert code == 2
    assert words in error.splitlines()[-1]


def test_files_that_cannot_be_written_are_refused_before_measuring(tervit, run, measured):
    """One for each: a plan in no folder, a figure's name that a folder has, the model itself."""
    (run / "sensitivity.png").mkdir()
    plan = ("--share", 0.5, "--write-plan")
    for args in ((), (*plan, run / "none" / "x"), (*plan, run / "float.npz")):
        assert tervit("sensitivity", run, *FEW, *args)[0] == 2
    assert measured == []


@pytest.mark.parametrize("share", [2, -0.1, "nan"])
def test_a_share_that_no_plan_has_is_refused_before_anything_is_read(tervit, share):
    code, _, error = tervit("sensitivity", "no_run", "--share", share)
    assert (code, len(error.splitlines())) == (2, 1)
    assert "a share is between 0 (all ternary) and 1" in error


def test_a_size_that_no_plan_has_loses_no_measurement(tervit, run, measured):
    assert tervit("sensitivity", run, *FEW, "--bytes", "1kB")[0] == 2
    assert len(measured) == 1
    assert tervit("sensitivity", run, *FEW)[0] == 0
    assert len(measured) == 1


def test_one_process_measures_in_a_folder_at_a_time(tervit, run, measured):
    with concurrent.futures.ThreadPoolExecutor() as other, locked(run, "sensitivity"):
        code, _, error = other.submit(tervit, "sensitivity", run, *FEW).result()
    assert (code, measured) == (2, [])
    assert "is in use by process" in error


def test_a_packed_file_is_refused(tervit, run):
    tervit("export", run, "--out", run / "x")
    code, _, error = tervit("sensitivity", run / "x")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "is packed and has no latent weights" in error


def test_the_name_of_a_trained_model_is_that_model_beside_a_run_of_this_name(
    tervit, run, monkeypatch
):
    run.rename(run.with_name("shapes"))
    monkeypatch.chdir(run.parent)
    code, _, error = tervit("sensitivity", "shapes")
    assert code == 2
    assert "shapes.safetensors is packed and has no latent weights" in error


@pytest.mark.parametrize(
    ("text", "count"), [("1200", 1200), ("1.5kB", 1500), ("0.2 MB", 200_000), ("7b", 7)]
)
def test_bytes_have_units(text, count):
    assert byte_count(text) == count


def test_bytes_beyond_any_float_are_refused():
    with pytest.raises(argparse.ArgumentTypeError, match="is not a size in bytes"):
        byte_count("9" * 400)


def test_ctrl_c_leaves_what_was_measured(tervit, run, monkeypatch):
    """The request comes after ten results; the same command measures only the rest."""
    from tervit_np.cli import meter

    add, seen = meter.Meter.add, []

    def stop_after_ten(self, name, passes, is_new):
        seen.append(is_new)
        self.stop.requested = len(seen) == 10 and is_new
        add(self, name, passes, is_new)

    monkeypatch.setattr(meter.Meter, "add", stop_after_ten)
    code, _, error = tervit("sensitivity", run, *FEW)
    assert code == 130
    assert "the measurements are saved; the same command continues:\n  tervit" in error
    assert (run / "sensitivity.partial").exists()
    assert not (run / "sensitivity.json").exists()
    del seen[:]
    assert tervit("sensitivity", run, *FEW)[0] == 0
    assert seen.count(False) >= 9
    assert not (run / "sensitivity.partial").exists()
