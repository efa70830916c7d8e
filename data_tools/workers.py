"""Processes that decode and augment pictures ahead of the training loop.

    asked for    batch t+1, t+2, ... at most as many as there are slots
    a slot       shared memory for one batch of bytes; its parts are filled by several processes

What a picture becomes depends on (seed, stage, epoch, number of the picture) alone, not on which
process decodes it or when. Processes are spawned, not forked: threads of BLAS do not survive that.
"""

import os
import signal
from collections import OrderedDict
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from data_tools.augment import Augment
from data_tools.imageset import Array, DataError
from data_tools.pictures import opened
from data_tools.streamed import StreamedSet

_PART = 8  # pictures that a process takes at a time
_CROP = 3  # keeps this stream of random numbers apart from those of batches.py
Key: TypeAlias = tuple[int, int]  # stage, step


class _Ask(NamedTuple):
    """One part of a batch."""

    slot: int
    row: int  # of the first picture
    names: list[str]
    numbers: list[int]  # of the pictures in the set
    seeds: tuple[int, ...]


class _Answer(NamedTuple):
    """What became of it."""

    kinds: list[str]  # "" where the picture could not be read
    faults: list[str]


class Prefetcher:
    """Delivers augmented batches of a streamed set; `ahead` of them wait ready at most."""

    def __init__(
        self, images: StreamedSet, augment: Augment, batch: int, workers: int, ahead: int = 3
    ) -> None:
        self.images, self.batch, self.slots = images, batch, ahead + 1
        shape = (self.slots, batch, images.size, images.size, 3)
        self._memory = SharedMemory(create=True, size=int(np.prod(shape)))
        self._rows: Array = np.ndarray(shape, np.uint8, self._memory.buf)
        self._free = list(range(self.slots))
        self._asked: OrderedDict[Key, tuple[int, list[Future[_Answer]]]] = OrderedDict()
        self._pool = ProcessPoolExecutor(
            max(workers, 1),
            get_context("spawn"),
            _begin,
            (self._memory.name, shape, str(images.listing.place), augment),
        )

    def ask(self, key: Key, chosen: Array, seeds: tuple[int, ...]) -> bool:
        """Have a batch prepared, unless it is already or no slot is free.  -> whether it is."""
        if key in self._asked:
            return True
        if not self._free:
            return False
        slot, listing = self._free.pop(), self.images.listing
        parts = []
        for row in range(0, len(chosen), _PART):
            numbers = chosen[row : row + _PART].tolist()
            names = [listing.name(i) for i in numbers]
            parts.append(self._pool.submit(_prepare, _Ask(slot, row, names, numbers, seeds)))
        self._asked[key] = slot, parts
        return True

    def restart(self, key: Key) -> None:
        """Forget everything, unless this batch was asked for."""
        if key not in self._asked:
            for old in list(self._asked):
                self._forget(old)

    def take(self, key: Key, labels: Array) -> tuple[Array, Array]:
        """Return a batch that was asked for and forget older ones.  -> bytes (B, S, S, 3), labels.

        A picture that could not be read is replaced, label and all, by the batch's first good one.

        Raises
        ------
        DataError
            If a process died, or no picture of the batch could be read.
        """
        while next(iter(self._asked)) != key:
            self._forget(next(iter(self._asked)))
        slot, parts = self._asked[key]
        try:
            answers = [part.result() for part in parts]
        except BrokenProcessPool:
            raise DataError(
                "a decoding process died, perhaps for want of memory; use fewer (--workers)"
            ) from None
        kinds = [kind for answer in answers for kind in answer.kinds]
        self.images.kinds.update(filter(None, kinds))
        for answer in answers:
            self.images.unreadable.extend(answer.faults)
        good = np.array([kind != "" for kind in kinds])
        if not good.any():
            raise DataError(f"no picture of a batch could be read: {self.images.unreadable[-1]}")
        source = np.where(good, np.arange(len(good)), good.argmax())
        pixels, labels = self._rows[slot, : len(good)][source], labels[source]
        self._forget(key)
        return pixels, labels

    def _forget(self, key: Key) -> None:
        slot, parts = self._asked.pop(key)
        for part in parts:
            if not part.cancel():
                part.exception()  # wait: the slot is being written
        self._free.append(slot)

    def close(self) -> None:
        """End the processes and free the memory."""
        self._pool.shutdown(cancel_futures=True)
        del self._rows
        self._memory.close()
        self._memory.unlink()


_state: dict[str, Any] = {}  # of a worker process


def _begin(memory: str, shape: tuple[int, ...], place: str, augment: Augment) -> None:
    """Set a worker process up. Ctrl-C is its parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _state["memory"] = SharedMemory(memory)
    _state["rows"] = np.ndarray(shape, np.uint8, _state["memory"].buf)
    _state["place"], _state["augment"] = place, augment


def _prepare(ask: _Ask) -> _Answer:
    """Decode and augment a part of a batch into its slot."""
    kinds, faults = [], []
    rows = _state["rows"][ask.slot]
    for row, (name, number) in enumerate(zip(ask.names, ask.numbers, strict=True), ask.row):
        file = os.path.join(_state["place"], name)
        try:
            with open(file, "rb") as content:
                picture, kind = opened(content.read(), file)
        except (DataError, OSError) as error:
            kinds.append("")
            faults.append(str(error))
            continue
        rng = np.random.default_rng([_CROP, *ask.seeds, number, row])
        rows[row] = _state["augment"].picture(picture, rows.shape[1], rng)
        kinds.append(kind)
    return _Answer(kinds, faults)
