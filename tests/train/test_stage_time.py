from tervit_np.train import stage_time
from tervit_np.train.stage_time import StageTime


def test_a_pause_adds_to_the_clock_alone(monkeypatch):
    clock, cpu = iter([10.0, 15.0, 115.0, 120.0]), iter([1.0, 9.0, 9.0, 17.0])
    monkeypatch.setattr(stage_time.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(stage_time.time, "process_time", lambda: next(cpu))
    spent = StageTime(1.0, 2.0)
    for _ in range(2):  # what passes between two blocks is not counted
        with spent.running():
            pass
    assert spent == StageTime(11.0, 18.0)


def test_a_stage_that_an_earlier_version_began_has_no_cpu_time():
    spent = StageTime(1.0, None)
    with spent.running():
        pass
    assert spent.seconds > 1
    assert spent.cpu_seconds is None
