"""Grade a file in a process of its own, which is stopped after some seconds with its children.

This keeps mistakes from harm: endless loops and output, forgotten children, too much memory. It is
not a sandbox against malice; docs/security.md says what a file can do.
"""

import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from data_tools.terminal import printable_lines
from tervit_np.exercises.exercise import Exercise, Finding
from tervit_np.exercises.explaining import lines_of, timed_out
from tervit_np.exercises.submission import submission_token
from tervit_np.json_files import parse_json

SECONDS = 10.0
_START = 60.0  # seconds for starting Python on a busy machine
_MARGIN = 3.0  # seconds after which a process that did not stop itself is killed
_PRINTED = 2000  # characters of the output that are returned
_LARGEST = 1 << 20  # bytes of a student's file, and of what the process reports
_REPORT = {"secret": str, "findings": [[str]]}
_ROOT = Path(__file__).parents[2]  # first in sys.path: the current folder may shadow modules
_PROGRAM = (
    "import sys; root = sys.argv.pop(1); root in sys.path or sys.path.insert(0, root); "
    "from tervit_np.exercises.grader import main; main()"
)


class Verdict(NamedTuple):
    """The findings of a check, what the file printed, and the submission token."""

    findings: list[Finding]
    printed: str
    seconds: float
    token: str = ""

    @property
    def passed(self) -> bool:
        """Whether there are findings and all are right."""
        return _passed(self.findings)


def _passed(findings: list[Finding]) -> bool:
    return bool(findings) and all(finding.ok for finding in findings)


def run_isolated(
    exercise: Exercise, file: Path, seconds: float = SECONDS, student: str = ""
) -> Verdict:
    """Grade a file; stop it after `seconds` and name the line that was running.

    Whatever is in the file, the result is a verdict.
    """
    start = time.monotonic()
    if not file.is_file() or file.stat().st_size > _LARGEST:
        problem = f"expected a file of Python code of at most {_LARGEST >> 20} MB"
        return Verdict([Finding(f"{file} is readable", problem)], "", 0.0)
    content = file.read_bytes()  # before it runs: it may replace itself
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        run = _Run(exercise, file.resolve(), Path(folder), seconds, student)
        printed = run.wait()
        findings = run.findings(lines_of(content))
    token = submission_token(exercise.name, student, _passed(findings), content)
    return Verdict(findings, printed, time.monotonic() - start, token)


class _Run:
    """One run of the grader: its process, and the files it writes in a temporary folder.

    report.json holds the findings and a secret that the process is given before it loads the file,
    so that a report which the file itself leaves there is not taken for the grader's.
    """

    def __init__(
        self, exercise: Exercise, file: Path, folder: Path, seconds: float, student: str
    ) -> None:
        self.file, self.seconds, self.secret = file, seconds, secrets.token_hex(16)
        self.report, self.trace = folder / "report.json", folder / "trace.txt"
        arguments = [_ROOT, exercise.name, file, self.report, self.trace, seconds, student]
        self.stopped = False
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, *map(str, arguments)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process alone
        )

    def wait(self) -> str:
        """Wait until the process has ended, or end it and its children.  -> what it printed."""
        output = _Head(self.process)
        try:
            with suppress(BrokenPipeError), self.process.stdin as stdin:  # type: ignore[union-attr]
                stdin.write(f"{self.secret}\n".encode())
            self._wait()
        finally:
            _kill_session(self.process)
        return output.text()

    def _wait(self) -> None:
        """Wait for the end of the process, no longer than it may take."""
        deadline, running = time.monotonic() + _START, False
        while self.process.poll() is None:
            if not running and self.trace.exists():  # the student's lines run now
                deadline, running = time.monotonic() + self.seconds + _MARGIN, True
            if time.monotonic() > deadline:
                self.stopped = True
                return
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.02)

    def findings(self, lines: list[str]) -> list[Finding]:
        """Return the findings of the report, or why there is none."""
        if (findings := self._reported()) is not None:
            return findings
        trace = _read(self.trace)
        if trace or self.stopped:
            return [timed_out(lines, _running_line(self.file, trace), self.seconds)]
        return [Finding("it runs", f"Python ended (exit code {self.process.returncode})")]

    def _reported(self) -> list[Finding] | None:
        """Read the report; None if it is absent, or not the grader's."""
        try:
            report = parse_json(_read(self.report), _REPORT)
        except ValueError:
            return None
        pairs = report["findings"]
        if report["secret"] != self.secret or any(len(pair) != 2 for pair in pairs):
            return None
        return [Finding(*map(printable_lines, pair)) for pair in pairs]


class _Head(threading.Thread):
    """Reads the output of a process to its end, so that it never blocks, and keeps the beginning.

    A child in another session may keep the pipe open for ever; nobody waits for it.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        super().__init__(daemon=True)
        self._stream, self._head = process.stdout, b""
        self.start()

    def run(self) -> None:
        """Read."""
        with suppress(OSError, ValueError):
            while self._stream is not None and (piece := self._stream.read(1 << 16)):
                self._head += piece[: _PRINTED - len(self._head)]

    def text(self) -> str:
        """Return the beginning, after the process has ended."""
        self.join(1.0)
        return printable_lines(self._head.decode(errors="replace").rstrip())


def _kill_session(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process with all children that did not leave its process group."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _read(path: Path) -> str:
    """Read the beginning of a regular file; "" if there is none."""
    try:
        if not path.is_file():
            return ""
        with open(path, "rb") as file:
            return file.read(_LARGEST).decode(errors="replace")
    except OSError:
        return ""


def _running_line(file: Path, trace: str) -> int | None:
    """Find the student's line in faulthandler's traceback, which starts at the innermost call."""
    match = re.search(rf'File ".*{re.escape(file.name)}", line (\d{{1,9}})', trace)
    return int(match[1]) if match else None
