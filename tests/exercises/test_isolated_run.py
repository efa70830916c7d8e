import os
import sys
import time

import pytest

from tervit_np.exercises.isolated_run import Verdict, run_isolated
from tervit_np.exercises.tasks import find_exercise

LINEAR = find_exercise("linear_backward")


def test_a_right_answer_passes_and_its_output_is_returned(tmp_path):
    file = tmp_path / LINEAR.file_name
    file.write_text(f"{LINEAR.solved_file()}\n\nprint('seen')\n")
    verdict = run_isolated(LINEAR, file)
    assert verdict.passed
    assert len(verdict.findings) == 5
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


posix = pytest.mark.skipif(os.name == "nt", reason="process groups and links")


def findings_of(answer, lines, seconds=10.0):
    start = time.monotonic()
    verdict = run_isolated(LINEAR, answer(LINEAR, lines), seconds)
    assert not verdict.passed
    assert time.monotonic() - start < 20
    assert sum(len(text) for finding in verdict.findings for text in finding) < 9000
    return verdict.findings


CHILD = "import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', 'import time; "
CHILD += "time.sleep(40)']{})\nprint('child', child.pid, flush=True)\nreturn None"


@posix
@pytest.mark.parametrize("options", ["", ", stdin=subprocess.PIPE", ", start_new_session=True"])
def test_a_child_that_keeps_the_output_is_not_waited_for(answer, options):
    start = time.monotonic()
    verdict = run_isolated(LINEAR, answer(LINEAR, CHILD.format(options)))
    assert time.monotonic() - start < 20
    assert "nothing is returned" in verdict.findings[-1].message
    child = int(verdict.printed.split()[1])
    if "session" in options:
        os.kill(child, 9)  # it has left the session, and is not found
    else:
        assert ended(child)


def ended(pid):
    """Whether a process ends soon; a dead child of nobody may stay as a zombie."""
    for _ in range(50):
        try:
            state = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


@posix
@pytest.mark.parametrize("call", ["os.fork()", "os.fork() or time.sleep(40)"])
def test_a_fork_is_not_waited_for(answer, call):
    findings_of(answer, f"import os, time\n{call}\nreturn None")


@posix
@pytest.mark.parametrize("signal", ["STOP", "KILL", "TERM", "SEGV"])
def test_a_process_that_stops_itself_is_wrong(answer, signal):
    lines = f"import os, signal\nos.kill(os.getpid(), signal.SIG{signal})"
    findings_of(answer, lines, seconds=0.5)


def test_a_check_that_switches_the_time_limit_off_is_stopped(answer):
    lines = "import faulthandler\nfaulthandler.cancel_dump_traceback_later()\nwhile True: pass"
    (finding,) = findings_of(answer, lines, seconds=0.5)
    assert "still running" in finding.message


@pytest.mark.parametrize(
    "lines",
    [
        "raise ValueError('x' * 10**7)",
        "raise ValueError('matmul ' + '(1,' * 10**6)",
        "x" * 10**5 + " = 1; return y",
        "class E(Exception):\n    def __str__(self): raise self\nraise E()",
        "raise type('N' * 10**6, (Exception,), {})('x')",
    ],
)
def test_messages_are_bounded(answer, lines):
    findings_of(answer, lines)


FORGE = """
import os, sys, json, gc
frame = sys._getframe()
while frame and "report" not in frame.f_locals:
    frame = frame.f_back
path = frame.f_locals["report"]
{}
os._exit(0)
"""


@posix
@pytest.mark.parametrize(
    "write",
    [
        'open(path, "w").write(json.dumps([["it is right", ""]]))',
        'open(path, "w").write(json.dumps({"findings": [["it is right", ""]]}))',
        'open(path, "w").write(json.dumps({"secret": "", "findings": [["right", ""]]}))',
        'open(path, "w").write("[1, 2")',
        'open(path, "w").write("[" * 100_000)',
        'open(path, "wb").write(bytes(range(256)))',
        'open(path, "w").write(json.dumps({"secret": [1], "findings": 3}))',
        "os.mkdir(path)",
        "os.mkfifo(path)",
        'os.symlink("/dev/zero", path)',
        "os.symlink(path, path)",
        'os.mkdir(os.path.dirname(path) + "/x"); os.chmod(os.path.dirname(path), 0)',
    ],
)
def test_a_report_that_is_not_the_graders_is_wrong(answer, write):
    (finding,) = findings_of(answer, FORGE.format(write))
    assert finding == ("it runs", "Python ended (exit code 0)")


@posix
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_is_not_run(tmp_path, make):
    make(tmp_path / "answer.py")
    verdict = run_isolated(LINEAR, tmp_path / "answer.py")
    assert "expected a file of Python code" in verdict.findings[0].message


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\0", b"#" * (1 << 20) + b"\n#", b"(" * 9999])
def test_a_file_that_python_cannot_read_is_wrong(tmp_path, content):
    (tmp_path / "answer.py").write_bytes(content)
    assert not run_isolated(LINEAR, tmp_path / "answer.py").passed


def test_escape_codes_of_a_file_are_visible(answer):
    lines = "print('\\x1b[2Jgone')\nraise ValueError('\\x1b[31mred')"
    verdict = run_isolated(LINEAR, answer(LINEAR, lines))
    assert verdict.printed == "\\x1b[2Jgone"
    assert "\\x1b[31mred" in verdict.findings[-1].message
