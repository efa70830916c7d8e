from data_tools import progress
from data_tools.progress import Progress


def test_only_slow_work_prints_progress(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    counter = Progress(1000, done=100)
    assert not counter.due(100)
    now[0] += 2
    assert counter.due(100)
    counter.show("a line")
    assert not counter.due(100)
    assert capsys.readouterr().err == "a line\n"


def test_long_waits_are_shown_in_minutes(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    counter = Progress(100)
    counter.count(0)
    now[0] = 60
    assert counter.time_left(2) == "49 min left"


def test_the_first_units_do_not_count_as_speed(monkeypatch, capsys):
    """In the first batch of an evaluation functions are compiled, which takes many seconds."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    counter = Progress(50_000, done=100)
    now[0] = 12
    assert counter.due(164)
    assert (counter.rate(164), counter.time_left(164)) == (0, "time left unknown")
    now[0] = 14
    assert counter.due(864)
    assert (counter.rate(864), counter.time_left(864)) == (350, "2 min left")
    counter.show("a line")
    counter.end()
    assert capsys.readouterr().err == "a line\n"
