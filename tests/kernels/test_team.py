"""Threads of a team divide the work and wait for each other at barriers."""

import threading
import time
from concurrent.futures import wait

import numpy as np
import pytest

pytest.importorskip("numba")

from tervit_np.kernels.team import ABORTED, Team, barrier, thread_range


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 197, 198])
@pytest.mark.parametrize("unit", [1, 6])
@pytest.mark.parametrize("num_threads", [1, 2, 3, 5])
def test_thread_ranges_are_whole_units_and_cover_all_items(count, unit, num_threads):
    ranges = [thread_range(count, unit, i, num_threads) for i in range(num_threads)]
    assert ranges[0][0] == 0
    assert ranges[-1][1] == count
    for (_, stop), (start, _) in zip(ranges[:-1], ranges[1:], strict=True):
        assert stop == min(start, count)
        assert start % unit == 0
    sizes = [max(stop - start, 0) for start, stop in ranges]
    assert max(sizes) - min(sizes) <= 2 * unit


def test_no_thread_leaves_a_barrier_before_all_have_arrived():
    num_threads, rounds = 3, 200
    barrier_count, passed = np.zeros(1, np.int64), np.zeros(num_threads, np.int64)
    early = []

    def work(thread_id):
        for number in range(rounds):
            passed[thread_id] = number
            barrier(barrier_count, num_threads)
            early.extend(passed[passed < number])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(num_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not early
    assert barrier_count[0] == num_threads * rounds


def test_an_aborted_barrier_releases_all_threads():
    barrier_count = np.zeros(1, np.int64)
    waiting = threading.Thread(target=barrier, args=(barrier_count, 2))
    waiting.start()
    barrier_count[0] = ABORTED
    waiting.join(60)
    assert not waiting.is_alive()
    barrier(barrier_count, 2)  # a later thread does not wait either


@pytest.mark.parametrize("num_threads", [1, 2, 4])
def test_each_call_runs_in_its_own_thread(num_threads):
    seen = []
    barrier_count = np.zeros(1, np.int64)

    def work(thread_id):
        barrier(barrier_count, num_threads)
        seen.append((thread_id, threading.get_ident()))

    Team(num_threads).run(work, [barrier_count])
    assert sorted(thread_id for thread_id, _ in seen) == list(range(num_threads))
    assert len({thread for _, thread in seen}) == num_threads
    assert (0, threading.get_ident()) in seen


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_an_error_in_any_thread_is_raised_and_the_team_stays_usable(bad):
    team, barrier_count = Team(3), np.zeros(1, np.int64)

    def work(thread_id):
        if thread_id == bad:
            raise ValueError(f"thread {thread_id}")
        barrier(barrier_count, 3)

    with pytest.raises(ValueError, match=f"thread {bad}"):
        team.run(work, [barrier_count])
    done = []
    team.run(lambda i: (barrier(barrier_count, 3), done.append(i)), [barrier_count])
    assert sorted(done) == [0, 1, 2]


@pytest.mark.filterwarnings("ignore:overflow")  # as an error it would hide the wrong sum
def test_a_thread_leaves_the_barrier_if_all_others_have_failed():
    """A sum of their numbers would overflow, and the thread would wait for ever."""
    num_threads, barrier_count = 6, np.zeros(1, np.int64)
    failing = threading.Semaphore(0)

    def work(thread_id):
        if thread_id > 0:
            failing.release()
            raise ValueError("no number")
        for _ in range(num_threads - 1):
            failing.acquire()
        time.sleep(0.2)  # until they have written the counter
        barrier(barrier_count, num_threads)

    def run():
        with pytest.raises(ValueError, match="no number"):
            Team(num_threads).run(work, [barrier_count])

    caller = threading.Thread(target=run, daemon=True)
    caller.start()
    caller.join(20)
    left = not caller.is_alive()
    barrier_count[0] = ABORTED  # a thread that still waits would keep the process from ending
    assert left


def test_after_ctrl_c_before_all_threads_have_begun_none_waits(monkeypatch):
    team, barrier_count, begun = Team(3), np.zeros(1, np.int64), []
    submit = team._workers.submit

    def interrupted(*task):
        if begun:
            raise KeyboardInterrupt
        begun.append(submit(*task))
        return begun[0]

    monkeypatch.setattr(team._workers, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        team.run(lambda _: barrier(barrier_count, 3), [barrier_count])
    waits = not wait(begun, 20).done
    barrier_count[0] = ABORTED  # a thread that still waits would keep the process from ending
    assert not waits
