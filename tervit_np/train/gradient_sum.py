"""The sum of the gradients of a batch's parts, over one process or over ranks (ranks.py).

Part p of a batch (parallel.py) belongs to rank p mod N. So in round j the ranks hold the gradients
of the parts jN ... jN + N - 1, and these are added in the order of the parts, as one process adds
them, to the same bits:

    rank r sends slice s of its gradient to rank s             (all-to-all)
    rank s adds the slices of the ranks 0, 1, ... to its sum
    after the last round all ranks get all sums                (all-gather)

A round's slices travel while the next part is computed. MPI moves most data only inside its calls,
so a thread calls it now and then.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import numpy as np

from tervit_np.param import Param

_FAILED = False  # in the place of a loss
_PAUSE = 5e-4  # seconds between two calls of MPI; over a network each moves about a megabyte


class GradientSum:
    """Adds the gradients of the parts of a batch to those of a model, in the order of the parts."""

    def __init__(self, params: list[Param]) -> None:
        self._params, self._loss = params, 0.0

    def add(self, gradients: list[Param], loss: float) -> None:
        """Add the gradients and the loss of the next part of this rank."""
        for param, own in zip(self._params, gradients, strict=True):
            if own.grad is not param.grad:  # those of the first part are the model's
                param.grad += own.grad
        self._loss += loss

    def fail(self) -> None:
        """Tell the other ranks that this one has failed."""

    def finish(self, parts: int) -> float:
        """Complete the gradients of a batch of so many parts.  -> its loss."""
        return self._loss


class MpiSum(GradientSum):
    """The same over the ranks of MPI; `thread` is one that calls it."""

    def __init__(self, params: list[Param], comm: Any, thread: ThreadPoolExecutor) -> None:
        super().__init__(params)
        self._comm, self._size, dtype = comm, comm.size, params[0].grad.dtype
        self._slice = -(-sum(p.size for p in params) // comm.size)
        self._sent, self._received = (np.zeros((comm.size, self._slice), dtype) for _ in "ab")
        self._sum = np.zeros(self._slice, dtype)
        self._thread = thread
        self._transfer: Transfer | None = None  # of the last round
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
        request = self._comm.Ialltoall(self._sent, self._received)
        self._transfer = Transfer(request, self._thread)

    def _complete_round(self) -> None:
        """Wait for the slices of the last round, and add them in the order of the ranks."""
        if self._transfer is not None:
            self._transfer.wait()
            for row in self._received[: self._senders]:
                self._sum += row
            self._transfer = None


class Transfer:
    """Slices on their way, which arrive while the ranks compute."""

    def __init__(self, request: Any, thread: ThreadPoolExecutor) -> None:
        self._request, self._is_needed = request, Event()
        self._arrived: Future[None] = thread.submit(self._call_now_and_then)

    def _call_now_and_then(self) -> None:
        while not self._is_needed.wait(_PAUSE):
            if self._request.Test():
                return
        self._request.Wait()

    def wait(self) -> None:
        """Wait until the slices of all ranks are here."""
        self._is_needed.set()
        self._arrived.result()
