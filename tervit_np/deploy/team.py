"""Threads that do one thing together; kernels/team.py is where they meet."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tervit_np.arrays import Array


def together(work: Callable[[int], None], members: int, meetings: Sequence[Array]) -> None:
    """Call work(0), work(1), ... at the same time, each in a thread of its own, this one's first.

    Where one fails, the others stop waiting for it, and its error is raised here.
    """
    from tervit_np.kernels.team import ABANDONED

    for arrivals in meetings:
        arrivals[0] = 0

    def guarded(me: int) -> None:
        try:
            work(me)
        except BaseException:
            for arrivals in meetings:
                arrivals[0] += ABANDONED
            raise

    if members == 1:
        return work(0)
    with ThreadPoolExecutor(members - 1) as pool:
        others = [pool.submit(guarded, me) for me in range(1, members)]
        guarded(0)
        for other in others:
            other.result()
