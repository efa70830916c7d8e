"""Which images a training step sees, and what is done to them.

A function of seed, stage and step alone: a resumed run draws what it would have drawn.
"""

import numpy as np

from data_tools import ImageSet
from data_tools.batches import epoch_order, step_rng
from tervit_np.arrays import Array
from tervit_np.train.stages import Recipe


class Batches:
    """Draws and augments; images that do not fill a last batch sit the epoch out."""

    def __init__(self, train: ImageSet, recipe: Recipe, seed: int) -> None:
        self.train, self.recipe, self.seed = train, recipe, seed
        self._epoch: tuple[int, int] | None = None  # stage and epoch of the order at hand
        self._order: Array = np.empty(0, np.int64)

    def draw(self, stage: int, step: int) -> tuple[Array, Array, np.random.Generator]:
        """Return images (B, 3, S, S), targets (B, C) and the generator of one step of a stage."""
        train, recipe = self.train, self.recipe
        epoch, place = divmod(step, len(train) // recipe.batch_size)
        if self._epoch != (stage, epoch):
            self._epoch = stage, epoch
            self._order = epoch_order(len(train), self.seed, stage, epoch)
        chosen = self._order[place * recipe.batch_size : (place + 1) * recipe.batch_size]
        rng = step_rng(self.seed, stage, epoch, step)
        images, targets = recipe.augment.apply(
            train.images[chosen],
            train.labels[chosen],
            len(train.classes),
            recipe.label_smoothing,
            train.mean,
            train.std,
            rng,
        )
        return images, targets, rng
