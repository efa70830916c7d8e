"""The short form of `python -m tests.kills`."""

import sys

import pytest

from tests.kills import SIGNALS, run_all


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals on Windows")
def test_killed_trainings_resume_to_the_same_weights():
    done = run_all(6, seed=0)
    assert sum(done[number.name] for number in SIGNALS) >= 6
    assert done["trainings that ended"] >= 1
