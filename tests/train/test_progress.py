import io
import time

import pytest

from tervit_np.train.progress import TrainingProgress, clock


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7.4, "0:07"), (200, "3:20"), (3849, "1:04:09")]
)
def test_a_duration_is_formatted(seconds, text):
    assert clock(seconds) == text


def test_the_last_step_is_always_shown():
    stream = io.StringIO()
    progress = TrainingProgress(2, stream=stream)
    progress.step("float 1/2", 1, 64, 2.0)
    assert stream.getvalue() == ""
    progress.step("float 2/2", 2, 64, 1.0)
    line = stream.getvalue()
    assert line.startswith("float 2/2,     run 100 %")
    assert "loss 1.950" in line
    assert "0:00 left" in line


def test_rate_and_time_left_are_those_of_the_last_minute(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = TrainingProgress(400, stream=stream)
    for step in range(1, 101):  # ten seconds a step, then an hour's pause, then one second a step
        now[0] += 3600 if step == 30 else 10 if step < 30 else 1
        progress.step("float 1/1", step, 64, 2.0)
    assert progress.rate == pytest.approx(64)
    assert "  64 images/s" in stream.getvalue().splitlines()[-1]
    assert stream.getvalue().endswith("5:00 left\n")  # for 300 steps


def test_the_first_step_does_not_count_in_the_time_left(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = TrainingProgress(400, stream=stream)
    for seconds in (40, 10, 10):  # functions are compiled in the first one
        now[0] += seconds
        progress.step("float 1/1", int(now[0] // 10), 640, 2.0)
    first, *_, last = stream.getvalue().splitlines()
    assert first.endswith("loss 2.000  time left unknown")
    assert "  64 images/s" in last
    assert last.endswith("1:05:40 left")  # 394 steps of ten seconds


def test_quiet_progress_prints_nothing():
    stream = io.StringIO()
    progress = TrainingProgress(1, quiet=True, stream=stream)
    progress.step("float", 1, 64, 2.0)
    progress.print("done")
    assert stream.getvalue() == ""
