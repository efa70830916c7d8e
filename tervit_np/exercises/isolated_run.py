"""Judge a file in a process of its own, which is ended after a while."""

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
from tervit_np.exercises.explaining import stalled

SECONDS = 10.0
_GRACE = 60.0  # for starting Python on a busy machine
_PRINTED = 2000  # characters of what a file prints, enough for what is shown
_ROOT = Path(__file__).parents[2]  # where the package lies, which the current folder may hide
_PROGRAM = (
    "import sys; root = sys.argv.pop(1); root in sys.path or sys.path.insert(0, root); "
    "from tervit_np.exercises.grader import main; main()"
)


class Verdict(NamedTuple):
    """What was found in a file, and what it printed."""

    findings: list[Finding]
    printed: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether all is right."""
        return bool(self.findings) and all(finding.ok for finding in self.findings)


def run_trial(exercise: Exercise, file: Path, seconds: float = SECONDS) -> Verdict:
    """Judge a file; a run of more than `seconds` is ended, and the line it was in is named."""
    began = time.monotonic()
    file = file.resolve()
    with tempfile.TemporaryDirectory() as folder:
        report, stall = Path(folder) / "report.json", Path(folder) / "stall.txt"
        arguments = [_ROOT, exercise.name, file, report, stall, seconds]
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us
        )
        printed = _read(process, seconds + _GRACE)
        if report.exists():
            findings = [Finding(*entry) for entry in json.loads(report.read_text("utf-8"))]
        elif stall.exists() and stall.read_text():
            findings = [stalled(file, _line_in(file, stall.read_text()), seconds)]
        else:
            findings = [Finding("it runs", f"Python ended (exit code {process.returncode})")]
    return Verdict(findings, printed, time.monotonic() - began)


def _read(process: subprocess.Popen[bytes], seconds: float) -> str:
    """Wait for a process to end, keep the head of what it prints."""
    end = threading.Timer(seconds, process.kill)
    end.daemon = True  # Ctrl-C in the next line must not leave us waiting for it
    try:
        end.start()
        text = _head(process.stdout) if process.stdout else ""
        process.wait()
    finally:
        end.cancel()
        process.kill()  # it has ended, unless we were interrupted
        process.wait()
    return text


def _head(stream: IO[bytes]) -> str:
    """Read all, so that the writer never waits, and return the beginning."""
    with stream:
        kept = stream.read(_PRINTED).decode(errors="replace").rstrip()
        while stream.read(1 << 16):
            pass
    return kept


def _line_in(file: Path, text: str) -> int | None:
    """Find the student's line in what faulthandler wrote, the innermost call first."""
    found = re.search(rf'File ".*{re.escape(file.name)}", line (\d+)', text)
    return int(found[1]) if found else None
