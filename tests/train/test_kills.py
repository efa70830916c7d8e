"""The short form of `python -m tests.kills`."""

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals on Windows")
def test_killed_trainings_resume_to_the_same_weights():
    """In a process of its own, since it forks, and this one may have threads."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    program = [sys.executable, "-m", "tests.kills", "--kills", "8"]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines()[:-1])
    assert sum(int(counts.get(name, 0)) for name in ("SIGKILL", "SIGTERM", "SIGINT")) >= 8
    assert int(counts["trainings that ended"]) >= 1
