import pytest

from tervit_np.analysis.comparison import progress
from tervit_np.analysis.comparison.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_share_and_time_left(clock, capsys):
    line = Progress(quiet=False)
    line.expect(400)
    line.begin("first trial")
    for _ in range(100):
        clock[0] += 1
        line.step(1)
    line.begin("second trial")
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first == "  0 %  first trial"
    assert last == " 25 %  second trial  5:00 left"


def test_what_is_expected_may_change(clock, capsys):
    line = Progress(quiet=False)
    line.expect(1)
    clock[0] += 2
    line.step(1)
    line.step(1)  # more than was expected
    line.begin("a")
    line.expect(8)
    line.begin("b")
    assert capsys.readouterr().err.splitlines() == [
        "100 %  a  0:00 left",
        " 20 %  b  0:08 left",
    ]


def test_quiet_prints_nothing(clock, capsys):
    line = Progress(quiet=True)
    line.begin("trial")
    clock[0] += 100
    line.step(1)
    assert capsys.readouterr().err == ""
