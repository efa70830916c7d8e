import json

import numpy as np
import pytest

from tervit_np.train.checkpoint import Saved
from tervit_np.train.folder import MUST_AGREE, RunFolder
from tervit_np.train.stages import Recipe, Stage

RUN_CONFIG = {
    "command": "",
    "started": "today",
    "seed": 1,
    "threads": 1,
    "backend": "numpy",
    "model": {"model": "DeiT", "config": {}, "dtype": "float32", "parameters": 7},
    "stages": [Stage("a", "float", 1).describe()],
    "recipe": Recipe(betas=[0.9, 0.99]).describe(),
    "data": {"name": "shapes", "classes": ["x"], "train": 8, "val": 0, "test": 8},
    "environment": {"numpy": "2"},
}
WEIGHTS = {"model.w": np.arange(3.0)}


def saved(stage=0, step=0, results=()):
    position = {"stage": stage, "step": step, "results": list(results)}
    return Saved(WEIGHTS, {**position, "start": [0.0, 0.0], "seconds": 1.0})


def begun(path, **changes):
    folder = RunFolder(path)
    folder.begin(RUN_CONFIG | changes, saved())
    return folder


def step(n):
    return {"kind": "step", "stage": "a", "step": n, "loss": 2.5}


def lines(folder):
    return [json.loads(line) for line in folder.metrics.read_text().splitlines()]


def test_a_folder_holds_one_run(tmp_path):
    folder = begun(tmp_path / "run")
    with pytest.raises(ValueError, match="already holds a run.*--resume"):
        folder.begin(RUN_CONFIG, saved())
    assert folder.read_run_config() == RUN_CONFIG


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "\x00", DEEP, '{"seed": "1"}', "9" * 5000, "null"]
)
def test_a_damaged_run_config_is_refused(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match="run.json is damaged"):
        RunFolder(tmp_path).read_run_config()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"stages": [{"name": "a", "epochs": "1"}]},
            r"stages\[0\].epochs is \"1\"; expected a finite",
        ),
        ({"stages": ["float"]}, r"stages\[0\] is \"float\"; expected an object"),
        ({"environment": {"numpy": 2}}, "environment.numpy is 2; expected text"),
        ({"seed": True}, "seed is true; expected an integer"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(tmp_path, changes, words):
    (tmp_path / "run.json").write_text(json.dumps(RUN_CONFIG | changes))
    with pytest.raises(ValueError, match=words):
        RunFolder(tmp_path).read_run_config()


def test_a_file_of_an_earlier_version_has_no_checksum(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(RUN_CONFIG))
    assert RunFolder(tmp_path).read_run_config() == RUN_CONFIG


def test_an_empty_folder_holds_no_run(tmp_path):
    with pytest.raises(ValueError, match="holds no run"):
        RunFolder(tmp_path).read_run_config()


@pytest.mark.parametrize("key", MUST_AGREE)
def test_every_setting_must_agree(tmp_path, key):
    folder = begun(tmp_path)
    folder.check_same_config(RUN_CONFIG)
    with pytest.raises(ValueError, match=f"{key} was .* now 2"):
        folder.check_same_config(RUN_CONFIG | {key: 2})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stages": [Stage("a", "float", 2).describe()]}, r"stages\[0\].epochs was 1 .* now 2"),
        ({"recipe": RUN_CONFIG["recipe"] | {"betas": [0.9, 0.9]}}, r"recipe.betas\[1\] was 0.99"),
        ({"data": RUN_CONFIG["data"] | {"classes": []}}, "data.classes was a list of 1"),
    ],
)
def test_the_field_that_differs_is_named(tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        begun(tmp_path).check_same_config(RUN_CONFIG | changes)


def test_settings_that_an_earlier_version_lacks_have_their_defaults(tmp_path):
    recipe = RUN_CONFIG["recipe"]
    augment = {k: v for k, v in recipe["augment"].items() if k != "invert"}
    (stage,) = RUN_CONFIG["stages"]
    folder = begun(
        tmp_path,
        stages=[{k: v for k, v in stage.items() if k != "freeze"}],
        recipe={k: v for k, v in recipe.items() if k != "ema"} | {"augment": augment},
    )
    folder.check_same_config(RUN_CONFIG)
    inverted = recipe | {"augment": augment | {"invert": 0.5}}
    with pytest.raises(ValueError, match=r"recipe.augment.invert was 0.0 .* now 0.5"):
        folder.check_same_config(RUN_CONFIG | {"recipe": inverted})


def test_a_run_with_other_validation_images_is_left_to_its_version(tmp_path):
    """They are drawn by class since then, which `held_out` says."""
    drawn = RUN_CONFIG["data"] | {"held_out": "by class, seed 0"}
    with pytest.raises(ValueError, match="begun by an earlier version, which held out other vali"):
        begun(tmp_path).check_same_config(RUN_CONFIG | {"data": drawn})


def test_loading_truncates_the_metrics_to_the_checkpoint(tmp_path, capsys):
    folder = begun(tmp_path)
    folder.log(**step(1))
    folder.save(saved(step=1))
    folder.log(**step(2))
    arrays, position = folder.load()
    np.testing.assert_array_equal(arrays["model.w"], WEIGHTS["model.w"])
    assert (position["stage"], position["step"]) == (0, 1)
    assert [line["step"] for line in lines(folder)] == [1]
    assert capsys.readouterr().err == ""


def test_a_run_that_has_just_begun_loads_its_initial_state(tmp_path):
    folder = begun(tmp_path)
    folder.log(**step(1))
    assert folder.load().position["step"] == 0
    assert folder.metrics.read_text() == ""


def test_a_run_that_has_just_begun_has_two_checkpoints(tmp_path, capsys):
    folder = begun(tmp_path)
    folder.checkpoints.newest.write_bytes(b"")
    assert folder.load().position["step"] == 0
    assert "the run continues from checkpoint-1.npz" in capsys.readouterr().err


RESULT = ["a", 0.1, 2.5, 0.9, 0.5]  # stage, accuracy and loss before and after


def cut_in_a_line(content):
    return content[:-7]


def zeros(content):  # as a power cut leaves blocks that were not written
    return content[:-9] + b"\0" * 9


def garbage_in_front(content):
    return b"\xff\xfe{" + content[3:]


def other_json(content):
    return b'{"kind": "step", "stage": 3}\n' + content


@pytest.mark.parametrize(
    "damage", [cut_in_a_line, zeros, garbage_in_front, other_json, lambda _: b"", None]
)
def test_lost_lines_of_the_metrics_are_said_and_the_rest_stays(tmp_path, capsys, damage):
    folder = begun(tmp_path)
    for n in (20, 40, 60):
        folder.log(**step(n))
    folder.save(saved(stage=1, results=[RESULT]))
    if damage is None:
        folder.metrics.unlink()
    else:
        folder.metrics.write_bytes(damage(folder.metrics.read_bytes()))
    assert folder.load().position["stage"] == 1
    assert "metrics.jsonl has lost lines" in capsys.readouterr().err
    (stage,) = [line for line in lines(folder) if line["kind"] == "stage"]
    assert stage["end"] == {"test_accuracy": 0.9, "test_loss": 0.5}
    assert {line["step"] for line in lines(folder)[:-1]} <= {20, 40, 60}
    folder.load()  # it is whole again
    assert capsys.readouterr().err == ""


def test_a_missing_checkpoint_is_not_absent_work(tmp_path):
    folder = begun(tmp_path)
    folder.log(**step(20))
    folder.checkpoints.remove()
    with pytest.raises(ValueError, match="checkpoint.npz is missing.*--weights"):
        folder.load()
    assert [line["step"] for line in lines(folder)] == [20]


@pytest.mark.parametrize("left", ["checkpoint", "metrics"])
def test_a_missing_run_json_is_not_an_empty_folder(tmp_path, left):
    folder = finished(tmp_path, [A], 1)
    (tmp_path / "run.json").unlink()
    before = folder.metrics.read_text()
    if left == "metrics":
        folder.checkpoints.remove()
    with pytest.raises(ValueError, match="holds a run whose run.json is missing"):
        folder.begin(RUN_CONFIG, saved())
    assert folder.metrics.read_text() == before


@pytest.mark.parametrize("damage", ["empty", "another seed", None])
def test_run_json_is_written_again_from_a_checkpoint(tmp_path, capsys, damage):
    folder = finished(tmp_path, [A], 1)
    file = tmp_path / "run.json"
    before = file.read_text()
    if damage is None:
        file.unlink()
    else:
        file.write_text("" if damage == "empty" else before.replace('"seed": 1', '"seed": 9'))
    assert folder.read_run_config() == RUN_CONFIG | {"stages": [A]}
    state = "missing" if damage is None else "damaged"
    assert f"run.json was {state}; it is written again" in capsys.readouterr().err
    assert file.read_text() == before


def test_a_run_that_was_killed_at_its_beginning_may_begin_again(tmp_path):
    folder = begun(tmp_path)
    (tmp_path / "run.json").unlink()  # it is written last
    folder.begin(RUN_CONFIG, saved())
    assert folder.load().position["step"] == 0


def test_partial_files_of_killed_processes_are_removed(tmp_path):
    folder = begun(tmp_path)
    names = (".checkpoint.npz.77.partial", ".a.npz.00ff12.partial", ".metrics.jsonl.9.partial")
    others = (".packed.safetensors.12.partial", "a.partial", ".partial")
    for name in (*names, *others):
        (tmp_path / name).touch()
    folder.remove_partial_files()
    remaining = {file.name for file in tmp_path.iterdir()}
    assert not remaining & set(names)
    assert set(others) <= remaining


A, B = (Stage(name, "float", 1).describe() for name in "ab")


def finished(path, stages, done):
    folder = begun(path, stages=stages)
    folder.log(**step(1))
    folder.save(saved(stage=done))
    folder.stage_file("a").write_text("the model")
    return folder


def test_a_run_begins_after_another(tmp_path):
    """Its checkpoint, metrics and models are copied; run.json lists all stages."""
    earlier = finished(tmp_path / "one", [A], 1)
    folder = RunFolder(tmp_path / "deep" / "two")
    folder.begin_after(earlier, RUN_CONFIG | {"stages": [A, B]})
    assert folder.read_run_config()["stages"] == [A, B]
    assert folder.load().position["run"]["stages"] == [A, B]
    assert folder.load().position["stage"] == 1
    assert folder.metrics.read_text() == earlier.metrics.read_text() != ""
    assert folder.stage_file("a").read_text() == "the model"
    assert [path.name for path in folder.path.parent.iterdir()] == ["two"]
    with pytest.raises(ValueError, match="already holds a run"):
        folder.begin_after(earlier, RUN_CONFIG | {"stages": [A, B]})


@pytest.mark.parametrize(
    ("stages", "done", "changes", "words"),
    [
        ([A], 0, {"stages": [A, B]}, "one is not finished"),
        ([A], 1, {"stages": [B, A]}, r"stages\[0\].name was"),
        ([A], 1, {"stages": [A, B], "seed": 2}, "seed was 1 .* now 2"),
    ],
)
def test_a_run_continues_only_a_finished_run_with_the_same_settings(
    tmp_path, stages, done, changes, words
):
    earlier = finished(tmp_path / "one", stages, done)
    with pytest.raises(ValueError, match=words):
        RunFolder(tmp_path / "two").begin_after(earlier, RUN_CONFIG | changes)
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize("fails", ["shutil.copyfile", "os.rename"])
def test_a_copy_that_fails_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch, fails):
    """Else a full disk would stay full, and the error would be a list of all files."""
    earlier = finished(tmp_path / "one", [A], 1)

    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fails, full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        RunFolder(tmp_path / "two").begin_after(earlier, RUN_CONFIG | {"stages": [A, B]})
    assert "[(" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_folder_in_which_nothing_begins_is_removed(tmp_path):
    with RunFolder(tmp_path / "run").lock():
        assert (tmp_path / "run").is_dir()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["../a", "/tmp/a", "..", "a/b", "a\0b", "nul", "COM1.x", ""])
def test_no_stage_file_is_outside_of_the_folder(tmp_path, name):
    with pytest.raises(ValueError, match="stage name"):
        RunFolder(tmp_path).stage_file(name)
