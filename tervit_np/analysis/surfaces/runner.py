"""Run measurements on several cores: the loss of each image at each point of affine models.

Models are evaluated without augmentation. One task is one point; any executor may run the tasks,
and the results depend neither on it nor on the order in which tasks finish.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from data_tools.imageset import check_labels
from tervit_np.analysis.surfaces.affine_models import AffineModels, Point
from tervit_np.analysis.surfaces.partial_results import PartialResults, fingerprint, pack, unpack
from tervit_np.arrays import Array
from tervit_np.blas import one_thread
from tervit_np.environment import usable_cores
from tervit_np.losses import log_softmax
from tervit_np.models import Classifier
from tervit_np.train import cached_batch_size

OnResult: TypeAlias = Callable[[str, float, bool], None]
SAVE_EVERY = 5.0  # seconds


class Task(NamedTuple):
    """One function call of a measurement; its result is stored under `name`."""

    name: str
    call: Callable[..., Any]
    arguments: tuple[Any, ...]


class Runner:
    """Runs tasks, stores their results and reports progress.

    `executor` is any of `concurrent.futures` (default: one thread for each usable core; NumPy and
    the compiled kernels release Python's lock). `partial_results` stores the finished tasks.
    `on_result(name, passes, is_new)` is called in the caller's thread for each result, with its
    work in forward passes over the sample, and whether it was computed now or read from disk. If it
    raises, the measurement stops after saving.
    """

    def __init__(
        self,
        executor: Executor | None = None,
        partial_results: PartialResults | None = None,
        on_result: OnResult | None = None,
    ) -> None:
        self.executor = executor or ThreadPoolExecutor(usable_cores())
        self.partial_results = partial_results or PartialResults()
        self.on_result = on_result or (lambda name, passes, is_new: None)

    def losses(
        self, name: str, models: AffineModels, images: Array, labels: Array, points: Sequence[Point]
    ) -> Array:
        """Measure the cross-entropy of each image at each point.  -> float32 (P, N).

        `name` is the name of the measurement in the folder of partial results.
        """
        check_sample(models.model, images, labels)
        names = [sorted(direction) for direction in models.directions]
        arrays = [d[n] for d, order in zip(models.directions, names, strict=True) for n in order]
        key = fingerprint([models.model], [images, labels, *arrays], names, list(points))
        tasks = [
            Task(str(i), losses_at, (models, images, labels, point))
            for i, point in enumerate(points)
        ]
        results = self.run(name, key, tasks, passes=1.0)
        return np.stack([unpack(results[task.name]) for task in tasks])

    def run(self, name: str, key: str, tasks: Sequence[Task], passes: float) -> dict[str, Any]:
        """Run the tasks whose results are not stored.  -> {task: result}, as plain JSON."""
        results = self.partial_results.load(name, key)
        remaining = [task for task in tasks if task.name not in results]
        for _ in range(len(tasks) - len(remaining)):
            self.on_result(name, passes, False)
        saved = time.monotonic()
        with one_thread():  # for the whole time, so that no thread sees the number change
            submit = self.executor.submit
            futures = {submit(_on_one_thread, t.call, *t.arguments): t.name for t in remaining}
            try:
                for future in as_completed(futures):
                    results[futures[future]] = future.result()
                    self.on_result(name, passes, True)
                    if time.monotonic() - saved > SAVE_EVERY:
                        self.partial_results.save(name, key, results)
                        saved = time.monotonic()
            finally:
                for future in futures:
                    future.cancel()
                self.partial_results.save(name, key, results)
        return results


def _on_one_thread(call: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function with one BLAS thread, in whichever process."""
    with one_thread():
        return call(*arguments)


def losses_at(models: AffineModels, images: Array, labels: Array, point: Point) -> str:
    """Measure one point.  -> packed losses, as text for JSON files."""
    return pack(image_losses(models.at(point), images, labels))


def image_losses(model: Classifier, images: Array, labels: Array) -> Array:
    """Return the cross-entropy of each image.  (N, 3, S, S), (N,) -> float32 (N,)."""
    return losses_of(image_logits(model, images), labels)


def image_logits(model: Classifier, images: Array) -> Array:
    """Classify images in batches that fit the caches.  (N, 3, S, S) -> (N, C)."""
    return model.predict(images, cached_batch_size(images.shape[-1]))


def losses_of(logits: Array, labels: Array) -> Array:
    """Return the cross-entropy of each row.  (N, C), (N,) -> float32 (N,)."""
    log_p = log_softmax(logits.astype(np.float64))
    losses: Array = -log_p[np.arange(len(labels)), labels]
    return losses.astype(np.float32)


def check_sample(model: Classifier, images: Array, labels: Array) -> None:
    """Refuse images without one label each, a class of the model.

    Raises
    ------
    ValueError
        If there are no images, another number of labels, or a label is outside 0..C-1: as an index
        -1 would be the last class.
    """
    if len(images) == 0 or np.shape(labels) != (len(images),):
        raise ValueError(
            f"surface: {len(images)} images with labels {np.shape(labels)}; expected one each"
        )
    check_labels(np.asarray(labels), model.config.num_classes, "surface")
