"""The loss of each image at each point of a family of models, on several cores.

Evaluation mode, the images as given. One task is one point; an executor of any kind runs them, and
the result depends neither on it nor on the order in which points are finished.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tervit_np.analysis.surfaces.affine_models import Family, Point
from tervit_np.analysis.surfaces.partial_results import Parts, fingerprint, pack, unpack
from tervit_np.arrays import Array
from tervit_np.blas import one_thread
from tervit_np.environment import usable_cores
from tervit_np.losses import log_softmax
from tervit_np.models import Classifier

OnPart: TypeAlias = Callable[[str, float, bool], None]
SAVE_EVERY = 5.0  # seconds


class Task(NamedTuple):
    """A part of a measurement: what to call, and the name under which its value is kept."""

    name: str
    call: Callable[..., Any]
    arguments: tuple[Any, ...]


class Runner:
    """Where measurements run and what they tell while they do.

    `executor` is any of `concurrent.futures` (default: one thread for each usable core; NumPy and
    the compiled kernels leave Python's lock while they compute). `parts` keeps what is finished.
    `on_part(name, worth, measured)` is called in this thread for each part, with its work in
    forward passes over the sample, and whether it was measured now or kept from before; what it
    raises stops the measurement after saving.
    """

    def __init__(
        self,
        executor: Executor | None = None,
        parts: Parts | None = None,
        on_part: OnPart | None = None,
    ) -> None:
        self.executor = executor or ThreadPoolExecutor(usable_cores())
        self.parts = parts or Parts()
        self.on_part = on_part or (lambda name, worth, measured: None)

    def losses(
        self, name: str, family: Family, images: Array, labels: Array, points: Sequence[Point]
    ) -> Array:
        """Measure the cross-entropy of each image at each point.  -> float32 (P, N).

        `name` tells measurements of one folder apart.
        """
        check_sample(images, labels)
        moves = [d for direction in family.directions for d in direction.values()]
        names = [sorted(direction) for direction in family.directions]
        mark = fingerprint([family.model], [images, labels, *moves], names, list(points))
        tasks = [
            Task(str(i), losses_at, (family, images, labels, point))
            for i, point in enumerate(points)
        ]
        found = self.run(name, mark, tasks, worth=1.0)
        return np.stack([unpack(found[task.name]) for task in tasks])

    def run(self, name: str, mark: str, tasks: Sequence[Task], worth: float) -> dict[str, Any]:
        """Run the tasks that are not finished; return all values, which are plain JSON."""
        done = self.parts.load(name, mark)
        left = [task for task in tasks if task.name not in done]
        for _ in range(len(tasks) - len(left)):
            self.on_part(name, worth, False)
        saved = time.monotonic()
        with one_thread():
            futures = {self.executor.submit(t.call, *t.arguments): t.name for t in left}
            try:
                for future in as_completed(futures):
                    done[futures[future]] = future.result()
                    self.on_part(name, worth, True)
                    if time.monotonic() - saved > SAVE_EVERY:
                        self.parts.save(name, mark, done)
                        saved = time.monotonic()
            finally:
                for future in futures:
                    future.cancel()
                self.parts.save(name, mark, done)
        return done


def losses_at(family: Family, images: Array, labels: Array, point: Point) -> str:
    """Measure one point; packed, since processes and files want text."""
    return pack(image_losses(family.at(point), images, labels))


def image_losses(model: Classifier, images: Array, labels: Array) -> Array:
    """Return the cross-entropy of each image.  (N, 3, S, S), (N,) -> float32 (N,)."""
    batch = max(8, min(64, 64**3 // images.shape[-1] ** 2))
    log_p = log_softmax(model.predict(images, batch).astype(np.float64))
    losses: Array = -log_p[np.arange(len(labels)), labels]
    return losses.astype(np.float32)


def check_sample(images: Array, labels: Array) -> None:
    """Refuse images without a label each.

    Raises
    ------
    ValueError
        If there is no image, or another number of labels.
    """
    if len(images) == 0 or np.shape(labels) != (len(images),):
        raise ValueError(
            f"surface: {len(images)} images with labels {np.shape(labels)}; expected one each"
        )
