import threading

import numpy as np
import pytest

pytest.importorskip("numba")

from tervit_np.deploy.team import Team
from tervit_np.kernels.team import meet


@pytest.mark.parametrize("members", [1, 2, 4])
def test_each_member_once_in_a_thread_of_its_own(members):
    seen = []
    arrivals = np.zeros(1, np.int64)

    def work(me):
        meet(arrivals, members)
        seen.append((me, threading.get_ident()))

    Team(members).run(work, [arrivals])
    assert sorted(me for me, _ in seen) == list(range(members))
    assert len({thread for _, thread in seen}) == members
    assert (0, threading.get_ident()) in seen


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_the_error_of_any_member_is_raised_and_the_team_can_go_on(bad):
    team, arrivals = Team(3), np.zeros(1, np.int64)

    def work(me):
        if me == bad:
            raise ValueError(f"member {me}")
        meet(arrivals, 3)

    with pytest.raises(ValueError, match=f"member {bad}"):
        team.run(work, [arrivals])
    done = []
    team.run(lambda me: (meet(arrivals, 3), done.append(me)), [arrivals])
    assert sorted(done) == [0, 1, 2]
