"""Threads that run one piece of compiled code together, each on its range of the work.

Where a thread needs another one's results, all wait at a barrier. A barrier is one counter that
only grows: with n threads, the k-th wait is over when the counter has reached n k.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from llvmlite import ir
from numba import types

from tervit_np.arrays import Array
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.simd import (
    I64,
    Builder,
    Context,
    Intrinsic,
    Signature,
    TypingContext,
    Value,
    Values,
    array_data,
    intrinsic,
)

ABORTED = 2**62  # to which a thread that failed sets the counter, so that the others stop waiting
SPINS_BEFORE_YIELD = 2000  # reads of the counter before the core is offered to other threads
_CAN_YIELD = sys.platform != "win32"
_sched_yield = types.ExternalFunction("sched_yield", types.intc())


class Team:
    """`num_threads` threads, the calling thread among them; serves one caller at a time."""

    def __init__(self, num_threads: int) -> None:
        self.num_threads = num_threads
        self._workers = ThreadPoolExecutor(max(num_threads - 1, 1), thread_name_prefix="tervit")

    def run(self, work: Callable[[int], None], barrier_counts: Sequence[Array]) -> None:
        """Call work(0), work(1), ... at the same time, one thread each.

        `barrier_counts` are the counters, int64 (1,), of all barriers that `work` waits at. If one
        call fails, the other threads stop waiting, and its error is raised here.
        """
        for barrier_count in barrier_counts:
            barrier_count[0] = 0

        @contextmanager
        def aborting() -> Iterator[None]:
            try:
                yield
            except BaseException:
                for barrier_count in barrier_counts:
                    barrier_count[0] = ABORTED  # set, not added: several may fail
                raise

        def run_or_abort(thread_id: int) -> None:
            with aborting():
                work(thread_id)

        futures: list[Future[None]] = []
        try:
            with aborting():  # also after Ctrl-C before all have begun
                for thread_id in range(1, self.num_threads):
                    futures.append(self._workers.submit(run_or_abort, thread_id))
                work(0)
        finally:
            errors = [error for future in futures if (error := future.exception()) is not None]
        if errors:
            raise errors[0]


@kernel(boundscheck=False)
def barrier(barrier_count: Array, num_threads: int) -> None:
    """Wait until all threads have called this.  int64 (1,), shared by them, 0 at first."""
    if num_threads == 1:
        return
    arrivals: int = atomic_add(barrier_count)
    goal = (arrivals + num_threads - 1) // num_threads * num_threads
    spins = 0
    while arrivals < ABORTED and atomic_load(barrier_count) < goal:
        spins += 1
        if _CAN_YIELD and spins % SPINS_BEFORE_YIELD == 0:
            _sched_yield()


@kernel(boundscheck=False)
def thread_range(count: int, unit: int, thread_id: int, num_threads: int) -> tuple[int, int]:
    """Divide `count` items among the threads, in whole units.  -> start, stop of one thread."""
    units = -(-count // unit)
    start = units * thread_id // num_threads * unit
    stop = units * (thread_id + 1) // num_threads * unit
    return start, min(stop, count)


@kernel(boundscheck=False)
def round_up(count: int, unit: int) -> int:
    """Round up to a multiple of `unit`."""
    return (count + unit - 1) // unit * unit


@intrinsic
def atomic_add(typing: TypingContext, barrier_count: types.Array) -> Intrinsic:
    """Atomically increment a barrier's counter and return the new number."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        pointer = array_data(context, builder, barrier_count, args[0])
        before = builder.atomic_rmw("add", pointer, ir.Constant(I64, 1), "seq_cst")
        return builder.add(before, ir.Constant(I64, 1))

    return types.int64(barrier_count), codegen


@intrinsic
def atomic_load(typing: TypingContext, barrier_count: types.Array) -> Intrinsic:
    """Atomically read a barrier's counter, again in each turn of a loop."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        pointer = array_data(context, builder, barrier_count, args[0])
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(barrier_count), codegen
