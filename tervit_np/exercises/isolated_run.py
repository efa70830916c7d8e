"""Grade a file in a process of its own, which is stopped after some seconds."""

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, NamedTuple

from tervit_np.exercises.exercise import Exercise, Finding
from tervit_np.exercises.explaining import timed_out

SECONDS = 10.0
_GRACE = 60.0  # for starting Python on a busy machine
_PRINTED = 2000  # characters of the output that are returned
_ROOT = Path(__file__).parents[2]  # first in sys.path: the current folder may shadow modules
_PROGRAM = (
    "import sys; root = sys.argv.pop(1); root in sys.path or sys.path.insert(0, root); "
    "from tervit_np.exercises.grader import main; main()"
)


class Verdict(NamedTuple):
    """The findings of a check, and what the file printed."""

    findings: list[Finding]
    printed: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether there are findings and all are right."""
        return bool(self.findings) and all(finding.ok for finding in self.findings)


def run_isolated(exercise: Exercise, file: Path, seconds: float = SECONDS) -> Verdict:
    """Grade a file; stop it after `seconds` and name the line that was running."""
    start = time.monotonic()
    file = file.resolve()
    with tempfile.TemporaryDirectory() as folder:
        report, trace = Path(folder) / "report.json", Path(folder) / "trace.txt"
        arguments = [_ROOT, exercise.name, file, report, trace, seconds]
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process alone
        )
        printed = _wait(process, seconds + _GRACE)
        if report.exists():
            findings = [Finding(*entry) for entry in json.loads(report.read_text("utf-8"))]
        elif trace.exists() and trace.read_text():
            findings = [timed_out(file, _running_line(file, trace.read_text()), seconds)]
        else:
            findings = [Finding("it runs", f"Python ended (exit code {process.returncode})")]
    return Verdict(findings, printed, time.monotonic() - start)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> str:
    """Wait for a process to end, kill it after `seconds`.  -> the head of its output."""
    timer = threading.Timer(seconds, process.kill)
    timer.daemon = True  # after Ctrl-C in the next line Python must not wait for it
    try:
        timer.start()
        output = _read_head(process.stdout) if process.stdout else ""
        process.wait()
    finally:
        timer.cancel()
        process.kill()  # no effect unless Ctrl-C came before the process ended
        process.wait()
    return output


def _read_head(stream: IO[bytes]) -> str:
    """Read a stream to its end, so that its writer never blocks.  -> its beginning."""
    with stream:
        head = stream.read(_PRINTED).decode(errors="replace").rstrip()
        while stream.read(1 << 16):
            pass
    return head


def _running_line(file: Path, trace: str) -> int | None:
    """Find the student's line in faulthandler's traceback, which starts at the innermost call."""
    match = re.search(rf'File ".*{re.escape(file.name)}", line (\d+)', trace)
    return int(match[1]) if match else None
