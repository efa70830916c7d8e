"""Which images a training step sees, and what is done to them.

A function of seed, stage and step alone: a resumed run draws what it would have drawn, and pictures
that are decoded ahead in other processes come out as if decoded here and now.
"""

import numpy as np

from data_tools import ImageSet, StreamedSet
from data_tools.sampling import epoch_order, step_rng
from data_tools.workers import Prefetcher
from tervit_np.arrays import Array
from tervit_np.train.stages import Recipe


class Batches:
    """Draws and augments; images that do not fill a last batch sit the epoch out."""

    def __init__(
        self, train: ImageSet | StreamedSet, recipe: Recipe, seed: int, workers: int = 2
    ) -> None:
        self.train, self.recipe, self.seed = train, recipe, seed
        self.steps = len(train) // recipe.batch_size  # of an epoch
        self._epoch: tuple[int, int] | None = None  # stage and epoch of the order at hand
        self._order: Array = np.empty(0, np.int64)
        self._feed = None
        if isinstance(train, StreamedSet):
            self._feed = Prefetcher(train, recipe.augment, recipe.batch_size, workers)

    def draw(self, stage: int, step: int) -> tuple[Array, Array, np.random.Generator]:
        """Return images (B, 3, S, S), targets (B, C) and the generator of one step of a stage."""
        train, augment = self.train, self.recipe.augment
        rng = step_rng(self.seed, stage, step // self.steps, step)
        about = (len(train.classes), self.recipe.label_smoothing, train.mean, train.std, rng)
        if isinstance(train, ImageSet):
            chosen = self._chosen(stage, step)
            images = augment.augment_uint8(train.images[chosen], rng)
            return *augment.to_batch(images, train.labels[chosen], *about), rng
        assert self._feed is not None  # made with the set
        chosen = self._chosen(stage, step)
        self._feed.seek((stage, step))
        for ahead in range(self._feed.slots):
            seeds = (self.seed, stage, (step + ahead) // self.steps)
            if not self._feed.request(
                (stage, step + ahead), self._chosen(stage, step + ahead), seeds
            ):
                break
        images, labels = self._feed.get((stage, step), train.labels[chosen])
        return *augment.to_batch(images, labels, *about), rng

    def _chosen(self, stage: int, step: int) -> Array:
        """Return the numbers of the images of one step."""
        epoch, place = divmod(step, self.steps)
        if self._epoch != (stage, epoch):
            self._epoch = stage, epoch
            self._order = self._shuffled(stage, epoch)
        return self._order[place * self.recipe.batch_size : (place + 1) * self.recipe.batch_size]

    def _shuffled(self, stage: int, epoch: int) -> Array:
        order = epoch_order(len(self.train), self.seed, stage, epoch)
        repeats = self.recipe.augment.repeats
        return np.repeat(order, repeats)[: len(order)] if repeats > 1 else order

    def close(self) -> None:
        """End the processes that decode."""
        if self._feed is not None:
            self._feed.close()
