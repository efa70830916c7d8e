"""Threads that walk through one piece of compiled code together.

Every member runs the same function on its own share of the tokens or heads; where one needs what
another made, all wait for each other. The meeting point is one number that only grows: with n
members, the k-th meeting is over when n k have arrived.
"""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tervit_np.arrays import Array
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.simd import I64

ABORTED = 2**61  # added by a member that failed: nobody waits for it any more
SPINS_BEFORE_YIELD = 2000  # looks at the number before the processor is offered to others
_CAN_YIELD = sys.platform != "win32"
_sched_yield = types.ExternalFunction("sched_yield", types.intc())


class Team:
    """Some threads, the calling one among them; for one caller at a time."""

    def __init__(self, members: int) -> None:
        self.members = members
        self._others = ThreadPoolExecutor(max(members - 1, 1), thread_name_prefix="tervit")

    def run(self, work: Callable[[int], None], meetings: Sequence[Array]) -> None:
        """Call work(0), work(1), ... at the same time; `meetings` are their counts of arrivals.

        Where one fails, the others stop waiting for it, and its error is raised here.
        """
        for barrier_count in meetings:
            barrier_count[0] = 0

        def guarded(me: int) -> None:
            try:
                work(me)
            except BaseException:
                for barrier_count in meetings:
                    barrier_count[0] += ABORTED
                raise

        others = [self._others.submit(guarded, me) for me in range(1, self.members)]
        try:
            guarded(0)
        finally:
            failed = [error for other in others if (error := other.exception()) is not None]
        if failed:
            raise failed[0]


@kernel(boundscheck=False)
def barrier(barrier_count: Any, members: int) -> None:
    """Wait until all members are here.  arrivals int64 (1,), shared and 0 at first."""
    if members == 1:
        return
    mine: Any = atomic_add(barrier_count)
    goal = (mine + members - 1) // members * members
    looks = 0
    while mine < ABORTED and atomic_load(barrier_count) < goal:
        looks += 1
        if _CAN_YIELD and looks % SPINS_BEFORE_YIELD == 0:
            _sched_yield()


@kernel(boundscheck=False)
def share(count: int, unit: int, me: int, members: int) -> Any:
    """Return first and last of a member's share of `count` things, in whole units."""
    units = -(-count // unit)
    first, last = units * me // members * unit, units * (me + 1) // members * unit
    return first, min(last, count)


@kernel(boundscheck=False)
def round_up(count: int, unit: int) -> Any:
    """Round up to a multiple."""
    return (count + unit - 1) // unit * unit


@intrinsic
def atomic_add(typing: Any, barrier_count: Any) -> Any:
    """Add one, all at once for everybody; return the new number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = context.make_array(barrier_count)(context, builder, args[0]).data
        before = builder.atomic_rmw("add", place, ir.Constant(I64, 1), "seq_cst")
        return builder.add(before, ir.Constant(I64, 1))

    return types.int64(barrier_count), generate


@intrinsic
def atomic_load(typing: Any, barrier_count: Any) -> Any:
    """Read the number as it is now, not as it was when last read."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = context.make_array(barrier_count)(context, builder, args[0]).data
        return builder.load_atomic(place, "acquire", 8)

    return types.int64(barrier_count), generate
