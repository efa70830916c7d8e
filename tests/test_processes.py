import os
import signal
import subprocess
import sys

import pytest

from tervit_np.processes import process_pool

SCRIPT = """
import time
from tervit_np.processes import process_pool
from tervit_np.train.interrupt import StopRequest

def wait():
    with StopRequest() as stop:
        print("begun", flush=True)
        while not stop.requested:
            time.sleep(0.01)
    print("stopped", flush=True)

if __name__ == "__main__":
    try:
        with process_pool(1) as pool:
            pool.submit(wait).result()
    except KeyboardInterrupt:
        print("ended", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_ctrl_c_of_the_parent_stops_a_task_that_asks_for_it(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    run = [sys.executable, str(tmp_path / "script.py")]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[0] == "stopped\nended\n"


def test_a_pool_needs_a_process():
    with pytest.raises(ValueError, match="processes is 0; expected at least 1"):
        with process_pool(0):
            pass
