"""Threads that walk through one piece of compiled code together.

Every member runs the same function on its own share of the tokens or heads; where one needs what
another made, all wait for each other. The meeting point is one number that only grows: with n
members, the k-th meeting is over when n k have arrived.
"""

import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tervit_np.kernels.jit import kernel
from tervit_np.kernels.vectors import I64

ABANDONED = 2**61  # added by a member that failed: nobody waits for it any more
_PATIENCE = 2000  # looks at the number before the processor is offered to others
_YIELDS = sys.platform != "win32"
_sched_yield = types.ExternalFunction("sched_yield", types.intc())


@kernel(boundscheck=False)
def meet(arrivals: Any, members: int) -> None:
    """Wait until all members are here.  arrivals int64 (1,), shared and 0 at first."""
    if members == 1:
        return
    mine: Any = count_up(arrivals)
    goal = (mine + members - 1) // members * members
    looks = 0
    while mine < ABANDONED and look(arrivals) < goal:
        looks += 1
        if _YIELDS and looks % _PATIENCE == 0:
            _sched_yield()


@kernel(boundscheck=False)
def share(count: int, unit: int, me: int, members: int) -> Any:
    """Return first and last of a member's share of `count` things, in whole units."""
    units = -(-count // unit)
    first, last = units * me // members * unit, units * (me + 1) // members * unit
    return first, min(last, count)


@kernel(boundscheck=False)
def up(count: int, unit: int) -> Any:
    """Round up to a multiple."""
    return (count + unit - 1) // unit * unit


@intrinsic
def count_up(typing: Any, arrivals: Any) -> Any:
    """Add one, all at once for everybody; return the new number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = context.make_array(arrivals)(context, builder, args[0]).data
        before = builder.atomic_rmw("add", place, ir.Constant(I64, 1), "seq_cst")
        return builder.add(before, ir.Constant(I64, 1))

    return types.int64(arrivals), generate


@intrinsic
def look(typing: Any, arrivals: Any) -> Any:
    """Read the number as it is now, not as it was when last read."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = context.make_array(arrivals)(context, builder, args[0]).data
        return builder.load_atomic(place, "acquire", 8)

    return types.int64(arrivals), generate
