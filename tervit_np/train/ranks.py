"""Training in one process, or in many that MPI has started (`mpiexec -n N tervit train ...`).

Each process, a rank, has the whole model. Part p of a batch (parallel.py) belongs to rank p mod N.
So in round j the ranks hold the gradients of the parts jN ... jN + N - 1, and these are added in
the order of the parts, as one process adds them, to the same bits:

    rank r sends slice s of its gradient to rank s             (all-to-all)
    rank s adds the slices of the ranks 0, 1, ... to its sum
    after the last round all ranks get all sums                (all-gather)

A round's slices travel while the next part is computed. All ranks then take the same step. Rank 0
alone writes; the run folder must be on a file system that all ranks see.
"""

import os
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import numpy as np

from tervit_np.arrays import Array
from tervit_np.param import Param

T = TypeVar("T")
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")  # set by mpiexec
_FAILED = False  # in the place of a loss
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

    def gradient_sum(self, params: list[Param]) -> "GradientSum":
        """Return what adds the gradients of parts."""
        return GradientSum(params)

    @contextmanager
    def together(self) -> Iterator[None]:
        """End all ranks if one of them fails inside."""
        yield


ONE = Ranks()


class GradientSum:
    """Adds the gradients of the parts of a batch to those of a model, in the order of the parts."""

    def __init__(self, params: list[Param]) -> None:
        self._params, self._loss = params, 0.0

    def add(self, gradients: list[Param], loss: float) -> None:
        """Add the gradients and the loss of the next part of this rank."""
        for param, own in zip(self._params, gradients, strict=True):
            param.grad += own.grad
        self._loss += loss

    def fail(self) -> None:
        """Tell the other ranks that this one has failed."""

    def finish(self, parts: int) -> float:
        """Complete the gradients of a batch of so many parts.  -> its loss."""
        return self._loss


class _MpiSum(GradientSum):
    """The same over the ranks of MPI."""

    def __init__(self, params: list[Param], comm: Any) -> None:
        super().__init__(params)
        self._comm, self._size, dtype = comm, comm.size, params[0].grad.dtype
        self._slice = -(-sum(p.size for p in params) // comm.size)
        self._sent, self._received = (np.zeros((comm.size, self._slice), dtype) for _ in "ab")
        self._sum = np.zeros(self._slice, dtype)
        self._request: Any = None  # of the round whose slices travel
        self._senders = self._rounds = 0
        self._has_failed = False

    def add(self, gradients: list[Param], loss: float) -> None:
        """Send the next gradient of this rank, with those of the other ranks."""
        self._exchange(gradients, loss)

    def fail(self) -> None:
        """Raise ValueError on the other ranks."""
        if not self._has_failed:
            self._has_failed = True
            self._comm.allgather(_FAILED)

    def finish(self, parts: int) -> float:
        """Get the sums of all slices.  -> loss."""
        if self._rounds < -(-parts // self._size):  # the last round has no part for this rank
            self._exchange([], None)
        self._complete_round()
        total = np.empty(self._size * self._slice, self._sum.dtype)
        self._comm.Allgather(self._sum, total)
        ends = np.cumsum([param.size for param in self._params])
        for param, end in zip(self._params, ends, strict=True):
            param.grad[...] = total[end - param.size : end].reshape(param.shape)
        return self._loss

    def _exchange(self, gradients: list[Param], loss: float | None) -> None:
        """Take part in a round, with a gradient or, in the last one, without."""
        if self._has_failed:
            raise ValueError("another part of this batch has failed")
        self._rounds += 1
        losses = self._comm.allgather(loss)
        if failed := [rank for rank, loss in enumerate(losses) if loss is _FAILED]:
            self._has_failed = True
            raise ValueError(f"rank {failed[0]} has failed")
        self._complete_round()
        flat, start = self._sent.reshape(-1), 0
        for own in gradients:
            flat[start : start + own.size] = own.grad.reshape(-1)
            start += own.size
        present = [x for x in losses if x is not None]
        for value in present:
            self._loss += value
        self._senders = len(present)
        self._request = self._comm.Ialltoall(self._sent, self._received)

    def _complete_round(self) -> None:
        """Wait for the slices of the last round, and add them in the order of the ranks."""
        if self._request is not None:
            self._request.Wait()
            for row in self._received[: self._senders]:
                self._sum += row
            self._request = None


class MpiRanks(Ranks):
    """The processes of a communicator; `local_size` of them are on this machine."""

    def __init__(self, comm: Any, local_size: int = 1) -> None:
        self._comm, self._errors = comm, comm.Dup()
        self.rank, self.size, self.local_size = comm.rank, comm.size, local_size

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
        return _MpiSum(params, self._comm)

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


def current_ranks() -> Ranks:
    """Return the ranks of this program: those of mpiexec, or one process.

    Raises
    ------
    ValueError
        If mpiexec has started several processes and mpi4py is not installed.
    """
    if max(int(os.environ.get(name, "1")) for name in _SIZES) == 1:
        return ONE
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ValueError(
            f"mpiexec has started several processes, but mpi4py cannot be imported ({error}); "
            "install it with pip install 'tervit-np[mpi]'"
        ) from None
    world = MPI.COMM_WORLD
    return MpiRanks(world, world.Split_type(MPI.COMM_TYPE_SHARED).size)
