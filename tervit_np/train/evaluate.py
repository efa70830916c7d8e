"""Accuracy and loss of a model on an image set, in evaluation mode and without augmentation."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from data_tools import LabelledSet, normalise
from data_tools.augment import invert
from data_tools.counted import counted
from data_tools.plain_numbers import whole_number
from data_tools.progress import Progress
from tervit_np.arrays import Array
from tervit_np.losses import cross_entropy
from tervit_np.models import Classifier
from tervit_np.models.classifier import require_model
from tervit_np.train.ranks import ONE, Ranks


class Evaluation(NamedTuple):
    """The result of one pass over an image set."""

    accuracy: float  # fraction in [0, 1]
    loss: float  # mean cross-entropy
    logits: Array  # (N, C)
    readable: Array  # bool (N,); unreadable pictures do not count, their logits are zero
    kernel: str = ""  # name of the packed kernel; "" if the model ran unpacked

    @property
    def kernel_note(self) -> str:
        """The kernel's name for the end of a printed line, or ""."""
        return f" (packed, {self.kernel})" if self.kernel else ""

    @property
    def error(self) -> float:
        """Binomial standard error of the accuracy: sqrt(p (1 - p) / N)."""
        return float(np.sqrt(self.accuracy * (1 - self.accuracy) / max(self.readable.sum(), 1)))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Wilson (1927), which has a width even where all or none are right.

        (p + z^2 / 2n ± z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n),  z = 1.96
        """
        n, p, z = max(int(self.readable.sum()), 1), self.accuracy, 1.959964
        middle = p + z**2 / (2 * n)
        half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        low, high = (float((middle + s * half) / (1 + z**2 / n)) for s in (-1, 1))
        return max(low, 0.0), min(high, 1.0)

    def accuracy_text(self, digits: int = 1) -> str:
        """Write "94.7 ± 0.5 %"; where all or none are right, the 95 % interval instead."""
        percent = f"{100 * self.accuracy:.{digits}f}"
        if 0 < self.accuracy < 1:
            return f"{percent} ± {100 * self.error:.{digits}f} %"
        low, high = (f"{100 * end:.{digits}f}" for end in self.interval)
        return f"{percent} % (95 % interval {low} to {high} %)"


def evaluate(
    model: Classifier,
    images: LabelledSet,
    *,
    threads: int = 1,
    batch_size: int | None = None,
    inverted: bool = False,
    quiet: bool = True,
    ranks: Ranks = ONE,
) -> Evaluation:
    """Classify all images of a set; the result does not depend on the number of threads or ranks.

    If `inverted`, bright and dark are swapped in all images. Unless `quiet`, standard error shows
    the progress. A model with ternary layers runs on packed kernels, if there are any for this
    processor.

    Raises
    ------
    ValueError
        If `model` is not one, the set is empty, it has another number of classes than the model,
        or no picture can be read.
    """
    require_model(model)
    threads = whole_number("evaluate: threads", threads, 1)
    if len(images) == 0:
        raise ValueError(f"evaluate: the {images.split} split of {images.name} is empty")
    if len(images.classes) != model.config.num_classes:
        raise ValueError(
            f"evaluate: {images.name} has {counted(len(images.classes), 'class')}, "
            f"the model {model.config.num_classes}"
        )
    if batch_size is not None:
        batch_size = whole_number("evaluate: batch_size", batch_size, 1)
    model, kernel = with_packed_kernels(model)
    if batch_size is None:
        batch_size = cached_batch_size(images.size)
    logits, readable = _classify(model, images, threads, batch_size, inverted, quiet, ranks)
    if not readable.any():
        raise ValueError(
            f"evaluate: none of {counted(len(images), 'picture')} of {images.name} can be read"
        )
    labels = images.labels[readable]
    accuracy = float((logits[readable].argmax(axis=1) == labels).mean())
    loss = cross_entropy(logits[readable], labels)[0]
    return Evaluation(accuracy, loss, logits, readable, kernel)


def cached_batch_size(image_size: int) -> int:
    """Return a number of images of which the arrays fit the caches: few if they are large."""
    return max(8, min(64, 64**3 // image_size**2))


def _classify(
    model: Classifier,
    images: LabelledSet,
    threads: int,
    batch_size: int,
    inverted: bool,
    quiet: bool,
    ranks: Ranks,
) -> tuple[Array, Array]:
    """Run the model on batches in threads.  -> logits (N, C), readable (N,)."""

    def classify(start: int) -> tuple[Array, Array]:
        indices = np.arange(start, min(start + batch_size, len(images)))
        pixels, readable = images.pixels(indices)
        pixels = invert(pixels) if inverted else pixels
        logits = model.predict(normalise(pixels, images.mean, images.std), batch_size)
        logits[~readable] = 0
        return logits, readable

    progress, done, batches = Progress(len(images)), 0, []
    own = range(0, len(images), batch_size)[ranks.rank :: ranks.size]
    with ThreadPoolExecutor(threads) as pool:
        for batch in pool.map(classify, own):
            batches.append(batch)
            done += len(batch[0]) * ranks.size
            if progress.due(done) and not quiet:
                rate, left = progress.rate(done), progress.time_left(done)
                speed = f"{rate:.0f} a second, " if rate else ""
                progress.show(f"{done:,} of {counted(len(images), 'picture')}, {speed}{left}")
    progress.end()
    logits, readable = zip(*ranks.interleave(batches), strict=True)
    return np.concatenate(logits), np.concatenate(readable)


def with_packed_kernels(model: Classifier) -> tuple[Classifier, str]:
    """Return a packed copy and its kernel's name, or the model and "" if it cannot be packed."""
    from tervit_np.deploy import packing  # these import Numba
    from tervit_np.kernels import has_tile, selected_variant

    variant = selected_variant()
    if model.packed:
        return model, variant
    if model.dtype != np.float32 or not has_tile(variant):
        return model, ""
    packed = packing.packed_copy(model)
    return (model, "") if packed is None else (packed, variant)
