from data_tools import progress
from data_tools.progress import Progress


def test_only_slow_work_prints_progress(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    counter = Progress(1000, done=100)
    assert not counter.due()
    now[0] += 2
    assert counter.due()
    assert counter.rate(300) == 100
    assert counter.time_left(300) == "7 s left"
    assert counter.time_left(100) == "time left unknown"
    counter.show("a line")
    assert not counter.due()
    assert capsys.readouterr().err == "a line\n"


def test_long_waits_are_shown_in_minutes(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    counter = Progress(100)
    now[0] = 60
    assert counter.time_left(2) == "49 min left"
