"""A pool of processes for long tasks, which Ctrl-C stops as it stops this process."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from data_tools.child import begin_child


@contextmanager
def process_pool(count: int) -> Iterator[ProcessPoolExecutor]:
    """Yield an executor with `count` processes, which end with this one.

    A task that asks for SIGINT, as training does, gets it when this process leaves the block with
    an exception, and the block waits until it has ended.

    Raises
    ------
    ValueError
        If `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"processes is {count}; expected at least 1")
    context = multiprocessing.get_context("spawn")  # threads of BLAS do not survive a fork
    with ProcessPoolExecutor(count, context, begin_child) as pool:
        try:
            yield pool
        except BaseException:
            for child in multiprocessing.active_children():
                if child.pid is not None and child.is_alive():
                    os.kill(child.pid, signal.SIGINT)
            pool.shutdown(cancel_futures=True)
            raise
