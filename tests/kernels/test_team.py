"""Members of a team share everything and meet."""

import threading

import numpy as np
import pytest

pytest.importorskip("numba")

from tervit_np.kernels.team import ABORTED, Team, barrier, share


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 197, 198])
@pytest.mark.parametrize("unit", [1, 6])
@pytest.mark.parametrize("members", [1, 2, 3, 5])
def test_shares_are_whole_units_and_leave_nothing_out(count, unit, members):
    shares = [share(count, unit, me, members) for me in range(members)]
    assert shares[0][0] == 0
    assert shares[-1][1] == count
    for (_, stop), (start, _) in zip(shares[:-1], shares[1:], strict=True):
        assert stop == min(start, count)
        assert start % unit == 0
    sizes = [max(stop - start, 0) for start, stop in shares]
    assert max(sizes) - min(sizes) <= 2 * unit


def test_nobody_leaves_before_all_are_there():
    members, meetings = 3, 200
    barrier_count, passed = np.zeros(1, np.int64), np.zeros(members, np.int64)
    early = []

    def walk(me):
        for number in range(meetings):
            passed[me] = number
            barrier(barrier_count, members)
            early.extend(passed[passed < number])

    threads = [threading.Thread(target=walk, args=(me,)) for me in range(members)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not early
    assert barrier_count[0] == members * meetings


def test_nobody_waits_for_one_who_failed():
    barrier_count = np.zeros(1, np.int64)
    waiting = threading.Thread(target=barrier, args=(barrier_count, 2))
    waiting.start()
    barrier_count[0] += ABORTED
    waiting.join(60)
    assert not waiting.is_alive()
    barrier(barrier_count, 2)  # and whoever comes later does not wait at all


@pytest.mark.parametrize("members", [1, 2, 4])
def test_each_member_once_in_a_thread_of_its_own(members):
    seen = []
    barrier_count = np.zeros(1, np.int64)

    def work(me):
        barrier(barrier_count, members)
        seen.append((me, threading.get_ident()))

    Team(members).run(work, [barrier_count])
    assert sorted(me for me, _ in seen) == list(range(members))
    assert len({thread for _, thread in seen}) == members
    assert (0, threading.get_ident()) in seen


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_the_error_of_any_member_is_raised_and_the_team_can_go_on(bad):
    team, barrier_count = Team(3), np.zeros(1, np.int64)

    def work(me):
        if me == bad:
            raise ValueError(f"member {me}")
        barrier(barrier_count, 3)

    with pytest.raises(ValueError, match=f"member {bad}"):
        team.run(work, [barrier_count])
    done = []
    team.run(lambda me: (barrier(barrier_count, 3), done.append(me)), [barrier_count])
    assert sorted(done) == [0, 1, 2]
