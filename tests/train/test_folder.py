import json

import numpy as np
import pytest

from tervit_np.train.folder import MUST_AGREE, RunFolder, unused_folder

REQUEST = dict.fromkeys(MUST_AGREE, 1)


def test_a_folder_holds_one_run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.begin(REQUEST)
    with pytest.raises(ValueError, match="already holds a run.*--resume"):
        folder.begin(REQUEST)
    assert folder.read_run_config() == REQUEST


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
def test_a_damaged_request_is_refused(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match="damaged"):
        RunFolder(tmp_path).read_run_config()


def test_an_empty_folder_holds_no_run(tmp_path):
    with pytest.raises(ValueError, match="holds no run"):
        RunFolder(tmp_path).read_run_config()


@pytest.mark.parametrize("key", MUST_AGREE)
def test_every_setting_must_agree(tmp_path, key):
    folder = RunFolder(tmp_path)
    folder.begin(REQUEST)
    folder.check_same_config(REQUEST)
    with pytest.raises(ValueError, match=f"{key} was 1 .* now 2"):
        folder.check_same_config(REQUEST | {key: 2})


def test_metrics_are_cut_back_to_the_checkpoint(tmp_path):
    folder = RunFolder(tmp_path)
    folder.begin(REQUEST)
    folder.log(kind="step", step=1)
    folder.save({"model.w": np.arange(3.0)}, {"stage": 0, "step": 1})
    folder.log(kind="step", step=2)
    arrays, position = folder.load()
    np.testing.assert_array_equal(arrays["model.w"], np.arange(3.0))
    assert (position["stage"], position["step"]) == (0, 1)
    assert [json.loads(line)["step"] for line in folder.metrics.read_text().splitlines()] == [1]


def test_without_a_checkpoint_the_metrics_start_again(tmp_path):
    folder = RunFolder(tmp_path)
    folder.begin(REQUEST)
    folder.log(kind="step", step=1)
    assert folder.load() is None
    assert folder.metrics.read_text() == ""
    folder.metrics.unlink()  # stopped between the two files of a beginning
    assert folder.load() is None
    assert folder.metrics.read_text() == ""


def finished(path, stages, done):
    folder = RunFolder(path)
    folder.begin(REQUEST | {"stages": stages})
    folder.log(kind="step", step=1)
    folder.save({"model.w": np.arange(3.0)}, {"stage": done, "step": 0})
    folder.stage_file("a").write_text("the model")
    return folder


def test_a_run_begins_after_another(tmp_path):
    """With its checkpoint, its metrics and its models, under the longer request."""
    earlier = finished(tmp_path / "one", ["a"], 1)
    folder = RunFolder(tmp_path / "deep" / "two")
    folder.begin_after(earlier, REQUEST | {"stages": ["a", "b"]})
    assert folder.read_run_config()["stages"] == ["a", "b"]
    assert folder.load()[1]["stage"] == 1
    assert folder.metrics.read_text() == earlier.metrics.read_text() != ""
    assert folder.stage_file("a").read_text() == "the model"
    assert [path.name for path in folder.path.parent.iterdir()] == ["two"]
    with pytest.raises(ValueError, match="already holds a run"):
        folder.begin_after(earlier, REQUEST | {"stages": ["a", "b"]})


@pytest.mark.parametrize(
    ("stages", "done", "request_", "words"),
    [
        (["a"], 0, {"stages": ["a", "b"]}, "one is not finished"),
        (["a"], 1, {"stages": ["b", "a"]}, "stages was"),
        (["a"], 1, {"stages": ["a", "b"], "seed": 2}, "seed was 1 .* now 2"),
    ],
)
def test_only_the_beginning_of_the_same_run_is_taken_over(tmp_path, stages, done, request_, words):
    earlier = finished(tmp_path / "one", stages, done)
    with pytest.raises(ValueError, match=words):
        RunFolder(tmp_path / "two").begin_after(earlier, REQUEST | request_)
    assert not (tmp_path / "two").exists()


def test_free_folders_are_numbered(tmp_path):
    assert unused_folder(tmp_path, "shapes").name == "shapes"
    for name in ("shapes", "shapes-2"):
        (tmp_path / name).mkdir()
    assert unused_folder(tmp_path, "shapes").name == "shapes-3"
