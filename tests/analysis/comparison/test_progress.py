import io

import pytest

from data_tools.terminal import ERASE
from tervit_np.analysis.comparison import progress
from tervit_np.analysis.comparison.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_progress_shows_percentage_and_time_left(clock, capsys):
    line = Progress(quiet=False)
    line.set_remaining(400)
    line.start_trial("first trial")
    for _ in range(100):
        clock[0] += 1
        line.step(1)
    line.start_trial("second trial")
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first == "  0 %  first trial"
    assert last == " 25 %  second trial  5:00 left"


def test_the_number_of_steps_may_change(clock, capsys):
    line = Progress(quiet=False)
    line.set_remaining(1)
    clock[0] += 2
    line.step(1)
    clock[0] += 2
    line.step(1)  # more than were set
    line.start_trial("a")
    line.set_remaining(8)
    line.start_trial("b")
    assert capsys.readouterr().err.splitlines() == [
        "100 %  a  0:00 left",
        " 20 %  b  0:16 left",
    ]


def test_the_first_step_does_not_count_in_the_time_left(clock, capsys):
    line = Progress(quiet=False)
    line.set_remaining(12)
    clock[0] += 90  # functions are compiled
    line.step(1)
    for _ in range(2):
        clock[0] += 1
        line.step(1)
    line.start_trial("a")
    assert capsys.readouterr().err.splitlines() == ["  8 %  ", " 25 %  a  0:09 left"]


def test_quiet_prints_nothing(clock, capsys):
    line = Progress(quiet=True)
    line.start_trial("trial")
    clock[0] += 100
    line.step(1)
    assert capsys.readouterr().err == ""


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("quiet", "shown"), [(False, f"{ERASE}  0 %  a{ERASE}"), (True, "")])
def test_the_line_is_erased_before_what_is_printed_next(clock, monkeypatch, quiet, shown):
    monkeypatch.setattr("sys.stderr", screen := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    line = Progress(quiet=quiet)
    line.start_trial("a")
    line.end()
    assert screen.getvalue() == shown
