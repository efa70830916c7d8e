"""Training in one process, or in many that MPI has started (`mpiexec -n N tervit train ...`).

Each process, a rank, has the whole model and computes some parts of each batch (parallel.py). Their
gradients are added in the order of the parts (gradient_sum.py), and all ranks take the same step.
Rank 0 alone writes; the run folder must be on a file system that all ranks see.
"""

import os
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import numpy as np

from tervit_np.arrays import Array
from tervit_np.param import Param
from tervit_np.train.gradient_sum import GradientSum, MpiSum

T = TypeVar("T")
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")  # set by mpiexec
_PATIENCE = 10.0  # seconds in which all ranks have met an error that all meet


class Ranks:
    """One process, which is all there is."""

    rank, size, local_size = 0, 1, 1

    def first(self, call: Callable[[], T]) -> T:
        """Call a function on rank 0 alone.  -> its result, or what it raises, on all ranks."""
        return call()

    def any(self, flag: bool) -> bool:
        """Whether a flag is set on any rank."""
        return flag

    def interleave(self, own: list[T]) -> list[T]:
        """Return the items of all ranks: item 0 of each rank, item 1 of each, and so on."""
        return own

    def concatenate(self, *arrays: Array) -> tuple[Array, ...]:
        """Return each array behind those of the ranks before, and before those after."""
        return arrays

    def require_same(self, arrays: Sequence[Array]) -> None:
        """Raise ValueError if arrays differ between ranks."""

    def gradient_sum(self, params: list[Param]) -> GradientSum:
        """Return what adds the gradients of parts."""
        return GradientSum(params)

    @contextmanager
    def together(self) -> Iterator[None]:
        """End all ranks if one of them fails inside."""
        yield


ONE = Ranks()


class MpiRanks(Ranks):
    """The processes of a communicator; `local_size` of them are on this machine."""

    def __init__(self, comm: Any, local_size: int = 1) -> None:
        self._comm, self._errors = comm, comm.Dup()
        self.rank, self.size, self.local_size = comm.rank, comm.size, local_size
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tervit-mpi")

    def first(self, call: Callable[[], T]) -> T:
        """Call a function on rank 0 and send its result, or what it raises, to all ranks."""
        result: Any = None
        error: Exception | None = None
        if self.rank == 0:
            try:
                result = call()
            except Exception as raised:
                error = raised
        result, error = self._comm.bcast((result, error))
        if error is not None:
            raise error
        return cast(T, result)

    def any(self, flag: bool) -> bool:
        """Whether a flag is set on any rank."""
        return any(self._comm.allgather(flag))

    def interleave(self, own: list[T]) -> list[T]:
        """Return the items of all ranks in turn."""
        lists = self._comm.allgather(own)
        return [lists[i % self.size][i // self.size] for i in range(sum(map(len, lists)))]

    def concatenate(self, *arrays: Array) -> tuple[Array, ...]:
        """Concatenate arrays in the order of the ranks."""
        of_ranks = zip(*self._comm.allgather(arrays), strict=True)
        return tuple(np.concatenate(each) for each in of_ranks)

    def require_same(self, arrays: Sequence[Array]) -> None:
        """Compare checksums of all ranks."""
        checksum = 0
        for array in arrays:
            checksum = zlib.crc32(array.tobytes(), checksum)
        checksums = self._comm.allgather(checksum)
        if other := [rank for rank, c in enumerate(checksums) if c != checksums[0]]:
            raise ValueError(
                f"the weights of rank {other[0]} differ from those of rank 0: its processor or its "
                "packages compute other bits; train on machines of one kind"
            )

    def gradient_sum(self, params: list[Param]) -> GradientSum:
        """Return what adds the gradients of parts of all ranks."""
        return MpiSum(params, self._comm, self._thread)

    @contextmanager
    def together(self) -> Iterator[None]:
        """End all ranks if one fails.

        An error that all ranks meet is raised on rank 0; the others end without a word.
        """
        try:
            yield
        except BaseException as error:
            if self._all_failed():
                if self.rank > 0:
                    raise SystemExit(0) from None
                raise
            print(f"rank {self.rank}: {error}; all ranks end", file=sys.stderr, flush=True)
            self._comm.Abort(2)

    def _all_failed(self) -> bool:
        """Wait a while for the other ranks to fail, too."""
        request, deadline = self._errors.Ibarrier(), time.monotonic() + _PATIENCE
        while not request.Test():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True


def _size(variable: str) -> int:
    """Return how many processes a variable of mpiexec says that there are."""
    text = os.environ.get(variable) or "1"
    if not text.isdecimal():
        raise ValueError(
            f"the environment variable {variable} is {text!r}; expected the number of processes, "
            "as mpiexec sets it: unset it"
        )
    return int(text)


def current_ranks() -> Ranks:
    """Return the ranks of this program: those of mpiexec, or one process.

    Raises
    ------
    ValueError
        If mpiexec has started several processes and mpi4py is not installed, or MPI does not allow
        several threads to call it, or a variable of mpiexec is no number.
    """
    if max(map(_size, _SIZES)) == 1:
        return ONE
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ValueError(
            f"mpiexec has started several processes, but mpi4py cannot be imported ({error}); "
            "install it with pip install 'tervit-np[mpi]'"
        ) from None
    if MPI.Query_thread() < MPI.THREAD_MULTIPLE:
        raise ValueError(
            "this MPI does not allow several threads to call it; leave mpi4py.rc as it is, or use "
            "an MPI that has MPI_THREAD_MULTIPLE, such as the one of pip install 'tervit-np[mpi]'"
        )
    world = MPI.COMM_WORLD
    return MpiRanks(world, world.Split_type(MPI.COMM_TYPE_SHARED).size)
