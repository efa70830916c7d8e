"""Ranks share a batch and end in the bits of one process. Here they are threads, without MPI."""

import copy
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.losses import cross_entropy
from tervit_np.train import ParallelModel, evaluate, ranks
from tervit_np.train.gradient_sum import Transfer
from tervit_np.train.ranks import ONE, MpiRanks, current_ranks

MPIEXEC = find_spec("mpi4py") and shutil.which("mpiexec")


class Meeting:
    """Where the threads of a communicator leave what they send."""

    def __init__(self, size):
        self.barrier, self.left = threading.Barrier(size, timeout=30), [None] * size


class Comm:
    """A communicator of threads, with the methods of mpi4py's."""

    def __init__(self, meeting, rank):
        self.meeting, self.rank, self.size = meeting, rank, len(meeting.left)

    def Dup(self):  # noqa: N802
        return self

    def allgather(self, item):
        self.meeting.left[self.rank] = copy.deepcopy(item)
        self.meeting.barrier.wait()
        items = list(self.meeting.left)
        self.meeting.barrier.wait()
        return items

    def bcast(self, item):
        return self.allgather(item)[0]

    def Allgather(self, sent, received):  # noqa: N802
        received[...] = np.concatenate(self.allgather(sent))

    def Ialltoall(self, sent, received):  # noqa: N802
        received[...] = [rows[self.rank] for rows in self.allgather(sent)]
        return Request(self.rank)

    def Ibarrier(self):  # noqa: N802
        self.reached = threading.Thread(target=self._reach, daemon=True)
        self.reached.start()
        return self

    def _reach(self):
        with suppress(threading.BrokenBarrierError):  # the other ranks never came
            self.meeting.barrier.wait()

    def Test(self):  # noqa: N802
        return not self.reached.is_alive() and not self.meeting.barrier.broken

    def Abort(self, status):  # noqa: N802
        self.meeting.barrier.abort()
        raise AbortedError(status)


class AbortedError(Exception):
    pass


class Request:
    """What needs some calls to arrive."""

    def __init__(self, calls):
        self.calls, self.tested, self.waited = calls, 0, 0

    def Test(self):  # noqa: N802
        self.tested += 1
        return self.tested > self.calls

    def Wait(self):  # noqa: N802
        self.waited += 1


def on_ranks(size, function):
    """Call function(ranks) on as many ranks at once.  -> their results."""
    meeting = Meeting(size)
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(lambda rank: function(MpiRanks(Comm(meeting, rank))), range(size)))


def gradients(model, group, images, targets, threads=1, fails=None):
    """Return loss and gradients of a batch."""
    model = copy.deepcopy(model)

    def loss(logits, part):
        if fails == part.start:
            raise ValueError("a part fails")
        return cross_entropy(logits, targets[part])

    parallel = ParallelModel(model, threads, 3, group)  # six parts
    try:
        value = parallel.gradients(images, loss, np.random.default_rng(5))
    finally:
        parallel.close()
    return value, [param.grad.copy() for _, param in model.named_params()]


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(24, 3, 8, 8)).astype(np.float32)
    return images, np.eye(3, dtype=np.float32)[rng.integers(0, 3, 24)]


@pytest.mark.parametrize(("size", "threads"), [(2, 1), (4, 1), (8, 1), (3, 2)])
def test_gradients_have_the_bits_of_one_process(model, batch, size, threads):
    """Also where the last round has parts for some ranks only, and a rank has none at all."""
    tv.quantize(model, "ternary")
    expected = gradients(model, ONE, *batch)
    for found in on_ranks(size, lambda group: gradients(model, group, *batch, threads)):
        assert found[0] == expected[0]
        for one, other in zip(found[1], expected[1], strict=True):
            np.testing.assert_array_equal(one, other)


def test_slices_travel_while_a_rank_computes():
    """A thread calls MPI, which moves nothing otherwise; it waits only for what is needed."""
    with ThreadPoolExecutor(1) as thread:
        arriving = Request(calls=3)
        transfer = Transfer(arriving, thread)
        wait_for(lambda: arriving.tested == 4)
        transfer.wait()
        assert arriving.waited == 0
        late = Request(calls=10**9)
        Transfer(late, thread).wait()
        assert late.waited == 1


def test_a_part_that_fails_fails_on_all_ranks(model, batch):
    def attempt(group):
        with pytest.raises(ValueError) as error:
            gradients(model, group, *batch, 2, fails=12)
        return str(error.value)

    assert on_ranks(2, attempt) == ["rank 1 has failed", "a part fails"]


def test_evaluation_has_the_logits_of_one_process(model, data):
    expected = evaluate(model, data.test, batch_size=5)
    for found in on_ranks(2, lambda group: evaluate(model, data.test, batch_size=5, ranks=group)):
        np.testing.assert_array_equal(found.logits, expected.logits)
        assert found.loss == expected.loss


def test_rank_0_calls_and_all_get_the_result_or_the_error():
    calls = []
    assert on_ranks(3, lambda group: group.first(lambda: calls.append(0) or 7)) == [7, 7, 7]
    assert calls == [0] and ONE.first(lambda: 7) == 7

    def refused(group):
        with pytest.raises(ValueError, match="no such run"):
            group.first(_refuse)
        return True

    assert on_ranks(2, refused) == [True, True]


def _refuse():
    raise ValueError("no such run")


def test_flags_and_weights_are_compared():
    assert on_ranks(3, lambda group: group.any(group.rank == 1)) == [True] * 3
    weights = [np.zeros(4, np.float32), np.ones(4, np.float32)]

    def differ(group):
        group.require_same(weights[:1])
        with pytest.raises(ValueError, match="weights of rank 1 differ from those of rank 0"):
            group.require_same(weights[group.rank : group.rank + 1])

    on_ranks(2, differ)


def test_an_error_of_all_ranks_is_raised_on_the_first(monkeypatch, capsys):
    monkeypatch.setattr(ranks, "_PATIENCE", 0.3)

    def run(group, failing):
        try:
            with group.together():
                if group.rank in failing:
                    raise ValueError("diverged")
        except (ValueError, SystemExit, AbortedError) as error:
            return type(error)

    assert on_ranks(2, lambda group: run(group, (0, 1))) == [ValueError, SystemExit]
    assert on_ranks(2, lambda group: run(group, (1,))) == [None, AbortedError]
    assert "rank 1: diverged; all ranks end" in capsys.readouterr().err


def test_several_processes_need_mpi4py(monkeypatch):
    for name in ranks._SIZES:
        monkeypatch.delenv(name, raising=False)
    assert current_ranks() is ONE
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ValueError, match=r"mpi4py cannot be imported .*tervit-np\[mpi\]"):
        current_ranks()


def test_a_number_of_processes_that_is_none_is_refused_by_name(monkeypatch):
    for name in ranks._SIZES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PMI_SIZE", "")
    assert current_ranks() is ONE
    monkeypatch.setenv("PMI_SIZE", "two")
    with pytest.raises(ValueError, match="variable PMI_SIZE is 'two'; expected the number of"):
        current_ranks()


SCRIPT = Path(__file__).with_name("train_on_ranks.py")


@pytest.mark.skipif(not MPIEXEC, reason="needs mpi4py and mpiexec")
def test_a_lost_rank_ends_the_job_and_one_process_continues_to_the_same_bits(tmp_path):
    """By mpiexec: two ranks train, one is killed; then two are stopped; then one ends the run."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TERVIT_BACKEND": "numpy"}

    def start(count, out):
        launch = [MPIEXEC, "-n", str(count)] if count > 1 else []
        run = [*launch, sys.executable, str(SCRIPT), str(out)]
        return subprocess.Popen(run, env=environment, stdout=subprocess.PIPE, text=True)

    assert start(1, tmp_path / "whole").wait(60) == 0
    with start(2, tmp_path / "lost") as process:
        ranks_seen = [process.stdout.readline().split() for _ in range(2)]
        wait_for((tmp_path / "lost" / "float.npz").exists)
        os.kill(int(ranks_seen[1][1]), signal.SIGKILL)
        assert process.wait(60) != 0
    with start(2, tmp_path / "lost") as process:
        pids = [int(process.stdout.readline().split()[1]) for _ in range(2)]
        time.sleep(0.5)
        os.kill(pids[1], signal.SIGTERM)  # of a single rank: all stop and save
        process.wait(60)
    assert start(1, tmp_path / "lost").wait(60) == 0
    for stage in ("float", "ternary"):
        whole, lost = (tv.load_checkpoint(tmp_path / x / f"{stage}.npz") for x in ("whole", "lost"))
        for name, array in whole.items():
            np.testing.assert_array_equal(array, lost[name])


def wait_for(happened, seconds=60):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)
