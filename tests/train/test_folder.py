import json

import numpy as np
import pytest

from tervit_np.train.folder import MUST_AGREE, RunFolder, Saved, unused_folder

RUN_CONFIG = dict.fromkeys(MUST_AGREE, 1)


def test_a_folder_holds_one_run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.begin(RUN_CONFIG)
    with pytest.raises(ValueError, match="already holds a run.*--resume"):
        folder.begin(RUN_CONFIG)
    assert folder.read_run_config() == RUN_CONFIG


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
def test_a_damaged_run_config_is_refused(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match="damaged"):
        RunFolder(tmp_path).read_run_config()


def test_an_empty_folder_holds_no_run(tmp_path):
    with pytest.raises(ValueError, match="holds no run"):
        RunFolder(tmp_path).read_run_config()


@pytest.mark.parametrize("key", MUST_AGREE)
def test_every_setting_must_agree(tmp_path, key):
    folder = RunFolder(tmp_path)
    folder.begin(RUN_CONFIG)
    folder.check_same_config(RUN_CONFIG)
    with pytest.raises(ValueError, match=f"{key} was 1 .* now 2"):
        folder.check_same_config(RUN_CONFIG | {key: 2})


def test_loading_truncates_the_metrics_to_the_checkpoint(tmp_path):
    folder = RunFolder(tmp_path)
    folder.begin(RUN_CONFIG)
    folder.log(kind="step", step=1)
    folder.save(Saved({"model.w": np.arange(3.0)}, {"stage": 0, "step": 1}))
    folder.log(kind="step", step=2)
    arrays, position = folder.load()
    np.testing.assert_array_equal(arrays["model.w"], np.arange(3.0))
    assert (position["stage"], position["step"]) == (0, 1)
    assert [json.loads(line)["step"] for line in folder.metrics.read_text().splitlines()] == [1]


def test_without_a_checkpoint_the_metrics_start_again(tmp_path):
    folder = RunFolder(tmp_path)
    folder.begin(RUN_CONFIG)
    folder.log(kind="step", step=1)
    assert folder.load() is None
    assert folder.metrics.read_text() == ""
    folder.metrics.unlink()  # interrupted between the two files that begin() writes
    assert folder.load() is None
    assert folder.metrics.read_text() == ""


def finished(path, stages, done):
    folder = RunFolder(path)
    folder.begin(RUN_CONFIG | {"stages": stages})
    folder.log(kind="step", step=1)
    folder.save(Saved({"model.w": np.arange(3.0)}, {"stage": done, "step": 0}))
    folder.stage_file("a").write_text("the model")
    return folder


def test_a_run_begins_after_another(tmp_path):
    """Its checkpoint, metrics and models are copied; run.json lists all stages."""
    earlier = finished(tmp_path / "one", ["a"], 1)
    folder = RunFolder(tmp_path / "deep" / "two")
    folder.begin_after(earlier, RUN_CONFIG | {"stages": ["a", "b"]})
    assert folder.read_run_config()["stages"] == ["a", "b"]
    assert folder.load().position["stage"] == 1
    assert folder.metrics.read_text() == earlier.metrics.read_text() != ""
    assert folder.stage_file("a").read_text() == "the model"
    assert [path.name for path in folder.path.parent.iterdir()] == ["two"]
    with pytest.raises(ValueError, match="already holds a run"):
        folder.begin_after(earlier, RUN_CONFIG | {"stages": ["a", "b"]})


@pytest.mark.parametrize(
    ("stages", "done", "changes", "words"),
    [
        (["a"], 0, {"stages": ["a", "b"]}, "one is not finished"),
        (["a"], 1, {"stages": ["b", "a"]}, "stages was"),
        (["a"], 1, {"stages": ["a", "b"], "seed": 2}, "seed was 1 .* now 2"),
    ],
)
def test_a_run_continues_only_a_finished_run_with_the_same_settings(
    tmp_path, stages, done, changes, words
):
    earlier = finished(tmp_path / "one", stages, done)
    with pytest.raises(ValueError, match=words):
        RunFolder(tmp_path / "two").begin_after(earlier, RUN_CONFIG | changes)
    assert not (tmp_path / "two").exists()


def test_unused_folders_are_numbered(tmp_path):
    assert unused_folder(tmp_path, "shapes").name == "shapes"
    for name in ("shapes", "shapes-2"):
        (tmp_path / name).mkdir()
    assert unused_folder(tmp_path, "shapes").name == "shapes-3"
