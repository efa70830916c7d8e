"""Accuracy and loss of a model on an image set, in evaluation mode and without augmentation."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from data_tools import ImageSet, normalise
from tervit_np.arrays import Array
from tervit_np.losses import cross_entropy
from tervit_np.models import Classifier


class Evaluation(NamedTuple):
    """What one pass over an image set gives."""

    accuracy: float  # fraction in [0, 1]
    loss: float  # mean cross-entropy
    logits: Array  # (N, C)

    @property
    def error(self) -> float:
        """Binomial standard error of the accuracy: sqrt(p (1 - p) / N)."""
        return float(np.sqrt(self.accuracy * (1 - self.accuracy) / max(len(self.logits), 1)))


def evaluate(
    model: Classifier, images: ImageSet, *, threads: int = 1, batch_size: int = 64
) -> Evaluation:
    """Classify a whole image set; the result does not depend on the number of threads.

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

    def classify(start: int) -> Array:
        pixels = images.images[start : start + batch_size]
        return model.predict(normalise(pixels, images.mean, images.std), batch_size)

    starts = range(0, len(images), batch_size)
    with ThreadPoolExecutor(threads) as pool:
        logits = np.concatenate(list(pool.map(classify, starts)))
    accuracy = float((logits.argmax(axis=1) == images.labels).mean())
    return Evaluation(accuracy, cross_entropy(logits, images.labels)[0], logits)
