"""Accuracy and loss of a model on an image set, in evaluation mode and without augmentation."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from data_tools import LabelledSet, normalise
from data_tools.progress import Progress
from tervit_np.arrays import Array
from tervit_np.losses import cross_entropy
from tervit_np.models import Classifier


class Evaluation(NamedTuple):
    """What one pass over an image set gives."""

    accuracy: float  # fraction in [0, 1]
    loss: float  # mean cross-entropy
    logits: Array  # (N, C)
    readable: Array  # bool (N,): pictures that could not be read are left out, their logits zero
    kernel: str = ""  # of the packed layers that ran; "" where none did

    @property
    def kernel_note(self) -> str:
        """What ran, in brackets for the end of a line; nothing where it was the model itself."""
        return f" (packed, {self.kernel})" if self.kernel else ""

    @property
    def error(self) -> float:
        """Binomial standard error of the accuracy: sqrt(p (1 - p) / N)."""
        return float(np.sqrt(self.accuracy * (1 - self.accuracy) / max(self.readable.sum(), 1)))


def evaluate(
    model: Classifier,
    images: LabelledSet,
    *,
    threads: int = 1,
    batch_size: int | None = None,
    quiet: bool = True,
) -> Evaluation:
    """Classify a whole image set; the result does not depend on the number of threads.

    Unless `quiet`, a line on standard error says how far it is. A model with ternary layers runs on
    packed kernels, where this processor has them.

    Raises
    ------
    ValueError
        If the set is empty, or its classes are not as many as the model's.
    """
    if len(images) == 0:
        raise ValueError(f"evaluate: the {images.split} split of {images.name} is empty")
    if len(images.classes) != model.config.num_classes:
        raise ValueError(
            f"evaluate: {images.name} has {len(images.classes)} classes, "
            f"the model {model.config.num_classes}"
        )

    model, kernel = with_packed_kernels(model)
    if batch_size is None:  # few large images, so that what a batch needs stays in the caches
        batch_size = max(8, min(64, 64**3 // images.size**2))

    def classify(start: int) -> tuple[Array, Array]:
        selected_variant = np.arange(start, min(start + batch_size, len(images)))
        pixels, readable = images.pixels(selected_variant)
        logits = model.predict(normalise(pixels, images.mean, images.std), batch_size)
        logits[~readable] = 0
        return logits, readable

    starts = range(0, len(images), batch_size)
    progress, done, parts = Progress(len(images)), 0, []
    with ThreadPoolExecutor(threads) as pool:
        for part in pool.map(classify, starts):
            parts.append(part)
            done += len(part[0])
            if not quiet and progress.due():
                speed, left = progress.rate(done), progress.time_left(done)
                progress.show(f"{done} of {len(images)} pictures, {speed:.0f} a second, {left}")
    progress.end()
    logits, readable = (np.concatenate(of) for of in zip(*parts, strict=True))
    if not readable.any():
        raise ValueError(f"evaluate: none of {len(images)} pictures of {images.name} can be read")
    seen, labels = logits[readable], images.labels[readable]
    accuracy = float((seen.argmax(axis=1) == labels).mean())
    loss = cross_entropy(seen, labels)[0]
    return Evaluation(accuracy, loss, logits, readable, kernel)


def with_packed_kernels(model: Classifier) -> tuple[Classifier, str]:
    """Return the model on packed kernels and their name, or the model itself and no name."""
    from tervit_np.deploy.packing import packed_copy  # these import the compiler
    from tervit_np.kernels import has_tile, selected_variant

    if model.packed:
        return model, selected_variant()
    if model.dtype != np.float32 or not has_tile(selected_variant()):
        return model, ""
    packed = packed_copy(model)
    return (model, "") if packed is None else (packed, selected_variant())
