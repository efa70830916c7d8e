"""Threads that do one thing together; kernels/team.py is where they meet."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tervit_np.arrays import Array


class Team:
    """Some threads, the calling one among them; for one caller at a time."""

    def __init__(self, members: int) -> None:
        self.members = members
        self._others = ThreadPoolExecutor(max(members - 1, 1), thread_name_prefix="tervit")

    def run(self, work: Callable[[int], None], meetings: Sequence[Array]) -> None:
        """Call work(0), work(1), ... at the same time; `meetings` are their counts of arrivals.

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

        others = [self._others.submit(guarded, me) for me in range(1, self.members)]
        try:
            guarded(0)
        finally:
            failed = [error for other in others if (error := other.exception()) is not None]
        if failed:
            raise failed[0]
