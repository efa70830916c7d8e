import sys

import pytest

from tervit_np.exercises.isolated_run import Verdict, run_isolated
from tervit_np.exercises.tasks import find_exercise

LINEAR = find_exercise("linear_backward")


def test_a_right_answer_passes_and_its_output_is_returned(tmp_path):
    file = tmp_path / LINEAR.file_name
    file.write_text(f"{LINEAR.solved_file()}\n\nprint('seen')\n")
    verdict = run_isolated(LINEAR, file)
    assert verdict.passed
    assert len(verdict.findings) == 4
    assert verdict.printed == "seen"
    assert verdict.seconds > 0


def test_an_endless_loop_is_stopped_and_its_line_named(answer):
    file = answer(LINEAR, "n = 0\nwhile True:\n    n += 1")
    verdict = run_isolated(LINEAR, file, seconds=0.3)
    assert not verdict.passed
    (finding,) = verdict.findings
    assert finding.what.partition(", ")[2] in ("`while True:`", "`n += 1`")
    assert finding.message == "still running after 0.3 s: does this loop ever end?"


def test_an_endless_output_is_cut(answer):
    verdict = run_isolated(
        LINEAR, answer(LINEAR, "while True:\n    print('x' * 1000)"), seconds=0.3
    )
    assert "still running" in verdict.findings[-1].message
    assert 0 < len(verdict.printed) <= 2000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no limit of memory there")
def test_too_much_memory_is_refused(answer):
    verdict = run_isolated(LINEAR, answer(LINEAR, "x = np.zeros(6 << 30, np.uint8)"))
    assert "this needs more memory than is allowed" in verdict.findings[-1].message


def test_an_answer_that_ends_the_process_is_wrong(answer):
    verdict = run_isolated(LINEAR, answer(LINEAR, "import os\nos._exit(3)"))
    assert verdict.findings == [("it runs", "Python ended (exit code 3)")]


def test_files_of_the_current_folder_shadow_no_module(answer, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise RuntimeError('hidden')")
    monkeypatch.chdir(tmp_path)
    verdict = run_isolated(LINEAR, answer(LINEAR, "return None"))
    assert "nothing is returned" in verdict.findings[-1].message


def test_a_verdict_without_findings_is_not_passed():
    assert not Verdict([], "", 0.0).passed
