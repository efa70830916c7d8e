import sys

import pytest

from tervit_np.exercises.isolated_run import Verdict, run_trial
from tervit_np.exercises.tasks import find_exercise

LINEAR = find_exercise("linear_backward")


def test_a_right_answer_and_what_it_prints(tmp_path):
    file = tmp_path / LINEAR.file_name
    file.write_text(f"{LINEAR.solved_file()}\n\nprint('seen')\n")
    verdict = run_trial(LINEAR, file)
    assert verdict.passed
    assert len(verdict.findings) == 4
    assert verdict.printed == "seen"
    assert verdict.seconds > 0


def test_a_loop_without_end_is_ended_and_its_line_named(answer):
    file = answer(LINEAR, "n = 0\nwhile True:\n    n += 1")
    verdict = run_trial(LINEAR, file, seconds=0.3)
    assert not verdict.passed
    (found,) = verdict.findings
    assert found.what.partition(", ")[2] in ("`while True:`", "`n += 1`")
    assert found.why == "still running after 0.3 s: does this loop ever end?"


def test_an_endless_output_is_cut(answer):
    verdict = run_trial(LINEAR, answer(LINEAR, "while True:\n    print('x' * 1000)"), seconds=0.3)
    assert "still running" in verdict.findings[-1].why
    assert 0 < len(verdict.printed) <= 2000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no limit of memory there")
def test_too_much_memory_is_refused(answer):
    verdict = run_trial(LINEAR, answer(LINEAR, "x = np.zeros(6 << 30, np.uint8)"))
    assert "this needs more memory than there is" in verdict.findings[-1].why


def test_an_answer_that_ends_the_process(answer):
    verdict = run_trial(LINEAR, answer(LINEAR, "import os\nos._exit(3)"))
    assert verdict.findings == [("it runs", "Python ended (exit code 3)")]


def test_files_of_the_current_folder_hide_nothing(answer, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise RuntimeError('hidden')")
    monkeypatch.chdir(tmp_path)
    verdict = run_trial(LINEAR, answer(LINEAR, "return None"))
    assert "nothing is returned" in verdict.findings[-1].why


def test_no_findings_are_no_pass():
    assert not Verdict([], "", 0.0).passed
