"""Worker processes that decode and augment pictures ahead of the training loop.

    slot         shared memory for one batch of bytes
    request      a batch that the workers fill into a slot; at most one request per slot
    task         a part of a request: a few pictures for one worker

Workers end with the process that started them, however that ends, and the resource tracker of
Python then frees the shared memory.

An augmented picture depends on (seed, stage, epoch, index of the picture, row in the batch) alone,
whichever worker decodes it and when; the row, so that repetitions of a picture differ.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.shared_memory import SharedMemory
from typing import NamedTuple, TypeAlias

import numpy as np

from data_tools.augment import Augment
from data_tools.child import begin_child
from data_tools.imageset import Array, DataError
from data_tools.pictures import open_picture
from data_tools.sources import Source
from data_tools.spawning import Spawning, require_main_guard
from data_tools.streamed import StreamedSet
from data_tools.terminal import note

_TASK_SIZE = 8  # pictures
_CROP = 3  # first word of the seeds; sampling.py uses 1, 2 and 4
Key: TypeAlias = tuple[int, int]  # stage, step


class _Task(NamedTuple):
    slot: int
    slot_row: int  # of the first picture in the slot
    row: int  # and in the batch
    sources: list[Source]
    indices: list[int]  # of the pictures in the set
    seeds: tuple[int, ...]


class _TaskResult(NamedTuple):
    kinds: list[str]  # of each picture; "" if it could not be read
    errors: list[str]  # of those that could not


class Prefetcher:
    """Delivers augmented batches of a streamed set, with up to `ahead` more in preparation."""

    def __init__(
        self, images: StreamedSet, augment: Augment, batch: int, workers: int, ahead: int = 3
    ) -> None:
        require_main_guard()
        self.images, self.batch, self.slots = images, batch, ahead + 1
        shape = (self.slots, batch, images.size, images.size, 3)
        self._memory = SharedMemory(create=True, size=int(np.prod(shape)))
        self._pixels: Array = np.ndarray(shape, np.uint8, self._memory.buf)
        self._free_slots = list(range(self.slots))
        self._requests: OrderedDict[Key, tuple[int, list[Future[_TaskResult]]]] = OrderedDict()
        self._spawning = Spawning()
        self._pool = ProcessPoolExecutor(
            max(workers, 1),
            self._spawning,
            _init_worker,
            (self._memory.name, shape, str(images.listing.path), augment),
        )

    def request(self, key: Key, indices: Array, seeds: tuple[int, ...], row: int = 0) -> bool:
        """Start to prepare a batch, or its pictures from `row` on.

        Returns False if no slot is free, True also if it has begun.

        Raises
        ------
        DataError
            If a worker has died.
        """
        if key in self._requests:
            return True
        if not self._free_slots:
            return False
        slot, listing = self._free_slots.pop(), self.images.listing
        tasks = []
        for start in range(0, len(indices), _TASK_SIZE):
            part = indices[start : start + _TASK_SIZE].tolist()
            sources = [listing.source(i) for i in part]
            task = _Task(slot, start, row + start, sources, part, seeds)
            with self._naming_the_dead():
                tasks.append(self._pool.submit(_run_task, task))
        self._requests[key] = slot, tasks
        return True

    def seek(self, key: Key) -> None:
        """Continue at `key`: cancel all requests, unless this one is among them."""
        if key not in self._requests:
            for old in list(self._requests):
                self._cancel(old)

    def get(self, key: Key) -> tuple[Array, Array]:
        """Return what was requested and cancel older requests.

        Returns uint8 (n, S, S, 3), and whether each picture was readable (n,).

        Raises
        ------
        DataError
            If a worker has died.
        """
        while (oldest := next(iter(self._requests))) != key:
            self._cancel(oldest)
        slot, tasks = self._requests[key]
        with self._naming_the_dead():
            results = [task.result() for task in tasks]
        kinds = [kind for result in results for kind in result.kinds]
        self.images.kinds.update(filter(None, kinds))
        self._remember([error for result in results for error in result.errors])
        readable = np.array([kind != "" for kind in kinds], bool)
        pixels = self._pixels[slot, : len(readable)].copy()
        self._cancel(key)
        return pixels, readable

    @contextmanager
    def _naming_the_dead(self) -> Iterator[None]:
        """Say how a worker died if the pool has ended because of it."""
        try:
            yield
        except BrokenProcessPool:
            raise DataError(self._spawning.how_one_died()) from None

    def _remember(self, errors: list[str]) -> None:
        """Count unreadable pictures, and say so when the first one is found."""
        if errors and not self.images.unreadable:
            note(f"{errors[0]}; in training, another of its batch replaces each such picture")
        for error in errors:
            self.images.unreadable.pop(error, None)  # the last is one of the last batch
            self.images.unreadable[error] = None

    def _cancel(self, key: Key) -> None:
        """Drop a request and free its slot."""
        slot, tasks = self._requests.pop(key)
        for task in tasks:
            if not task.cancel():
                task.exception()  # wait until the worker has stopped writing to the slot
        self._free_slots.append(slot)

    def close(self) -> None:
        """End the workers and free the shared memory."""
        self._pool.shutdown(cancel_futures=True)
        del self._pixels
        self._memory.close()
        self._memory.unlink()


def replace_unreadable(
    pixels: Array, readable: Array, labels: Array, images: StreamedSet
) -> tuple[Array, Array]:
    """Replace unreadable pictures and their labels by the first readable one of the batch.

    uint8 (B, S, S, 3), bool (B,), (B,) -> uint8 (B, S, S, 3), labels (B,)

    Raises
    ------
    DataError
        If none could be read.
    """
    if readable.all():
        return pixels, labels
    if not readable.any():
        example = next(reversed(images.unreadable), "by another process")
        raise DataError(f"no picture of a batch could be read: {example}")
    rows = np.where(readable, np.arange(len(readable)), readable.argmax())
    return pixels[rows], labels[rows]


class _Worker(NamedTuple):
    memory: SharedMemory  # must outlive `pixels`
    pixels: Array  # of all slots
    folder: str
    augment: Augment


_worker: _Worker  # set once in each worker process


def _init_worker(memory_name: str, shape: tuple[int, ...], folder: str, augment: Augment) -> None:
    """Attach a worker to the shared memory, and leave Ctrl-C to the parent process."""
    global _worker
    begin_child()
    memory = SharedMemory(memory_name)
    _worker = _Worker(memory, np.ndarray(shape, np.uint8, memory.buf), folder, augment)


def _run_task(task: _Task) -> _TaskResult:
    """Decode and augment the pictures of a task into their slot."""
    kinds, errors = [], []
    pixels = _worker.pixels[task.slot]
    for i, (source, index) in enumerate(zip(task.sources, task.indices, strict=True)):
        name = os.path.join(_worker.folder, str(source))
        try:
            picture, kind = open_picture(source.read(_worker.folder), name)
        except (DataError, OSError) as error:
            kinds.append("")
            errors.append(str(error))
            continue
        rng = np.random.default_rng([_CROP, *task.seeds, index, task.row + i])
        pixels[task.slot_row + i] = _worker.augment.augment_picture(picture, pixels.shape[1], rng)
        kinds.append(kind)
    return _TaskResult(kinds, errors)
