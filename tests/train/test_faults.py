"""The short form of `python -m tests.faults`."""

from tests.faults import run_all


def test_a_failing_disk_and_damaged_files_cost_no_weights():
    done = run_all(every=60, damages=2)
    assert sum(done.values()) >= 4
