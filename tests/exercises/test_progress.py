import json
import os

import pytest

from tervit_np.exercises.progress import Progress
from tervit_np.exercises.tasks import find_exercise

ONE, TWO = find_exercise("linear_backward"), find_exercise("layernorm_backward")


def test_no_file_is_written_before_the_first_change(tmp_path):
    progress = Progress(tmp_path / "exercises")
    assert not progress.passed(ONE)
    assert progress.hints(ONE) == 0
    assert not progress.folder.exists()


def test_passes_and_hints_are_stored(tmp_path):
    Progress(tmp_path).record_pass(ONE)
    assert Progress(tmp_path).open_hint(TWO) == 1
    again = Progress(tmp_path)
    assert (again.passed(ONE), again.passed(TWO)) == (True, False)
    assert (again.hints(ONE), again.hints(TWO)) == (0, 1)


def test_no_more_hints_open_after_the_last(tmp_path):
    progress = Progress(tmp_path)
    assert [progress.open_hint(ONE) for _ in range(5)] == [1, 2, 3, 3, 3]


def test_two_processes_do_not_overwrite_each_other(tmp_path):
    watching, asking = Progress(tmp_path), Progress(tmp_path)
    asking.open_hint(ONE)
    watching.record_pass(ONE)
    assert Progress(tmp_path).hints(ONE) == 1


def test_a_file_is_made_once(tmp_path):
    progress = Progress(tmp_path / "deep" / "down")
    file, new = progress.open_file(ONE)
    assert new
    assert file == tmp_path / "deep" / "down" / "linear_backward.py"
    assert file.read_text() == ONE.student_file()
    file.write_text("my answer")
    assert progress.open_file(ONE) == (file, False)
    assert file.read_text() == "my answer"


def test_an_interrupted_write_leaves_the_old_record(tmp_path, monkeypatch):
    progress = Progress(tmp_path)
    progress.record_pass(ONE)

    def power_cut(*args):
        raise OSError("power cut")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="power cut"):
        patch.setattr(os, "replace", power_cut)
        progress.record_pass(TWO)
    assert json.loads((tmp_path / "progress.json").read_text()) == {ONE.name: {"passed": True}}


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "", "\0", "9" * 5000, "[" * 99_999,
        *(f'{{"linear_backward": {entry}}}' for entry in (
            "3", "null", '{"hints": "2"}', '{"hints": 1e999}', '{"hints": 0.5}', '{"passed": 1}',
            '{"hints": null}', '{"hints": [1]}', '{"hints": true}',
        )),
    ],
)  # fmt: skip
def test_a_damaged_record_says_what_to_do(tmp_path, text):
    (tmp_path / "progress.json").write_text(text)
    with pytest.raises(ValueError, match=r"progress\.json is damaged: .*; delete it, your answers"):
        Progress(tmp_path)


@pytest.mark.parametrize(("hints", "shown"), [(-5, 0), (10**30, 3)])
def test_a_number_of_hints_out_of_range_is_clipped(tmp_path, hints, shown):
    (tmp_path / "progress.json").write_text(json.dumps({ONE.name: {"hints": hints}}))
    assert Progress(tmp_path).hints(ONE) == shown
