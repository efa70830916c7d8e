"""The batches of training: which images a step uses, and their augmentation.

A batch is a function of seed, stage and step alone. So a resumed run draws the same batches, and
pictures decoded ahead of time in other processes are the same as pictures decoded in this one.
"""

import numpy as np

from data_tools import ImageSet, StreamedSet
from data_tools.sampling import alternately_mirrored, epoch_order, step_rng
from data_tools.workers import Prefetcher, replace_unreadable
from tervit_np.arrays import Array
from tervit_np.train.ranks import ONE, Ranks
from tervit_np.train.stages import Recipe


def epoch_steps(images: int, batch_size: int) -> int:
    """Count the steps of an epoch, which leaves out images that do not fill its last batch."""
    return images // batch_size


class Batches:
    """Draws and augments batches."""

    def __init__(
        self,
        train: ImageSet | StreamedSet,
        recipe: Recipe,
        seed: int,
        workers: int = 2,
        ranks: Ranks = ONE,
    ) -> None:
        self.train, self.recipe, self.seed, self.ranks = train, recipe, seed, ranks
        self.steps = epoch_steps(len(train), recipe.batch_size)
        self._epoch: tuple[int, int] | None = None  # stage and epoch of these two
        self._order: Array = np.empty(0, np.int64)
        self._mirrored: Array = np.empty(0, bool)
        self._prefetcher = None
        if isinstance(train, StreamedSet):
            batch, size, rank = recipe.batch_size, ranks.size, ranks.rank
            # Each rank decodes its part of a batch.
            self._own = slice(rank * batch // size, (rank + 1) * batch // size)
            self._prefetcher = Prefetcher(train, recipe.augment, -(-batch // size), workers)

    def draw(
        self, stage: int, step: int, progress: float = 0.0
    ) -> tuple[Array, Array, np.random.Generator]:
        """Return images (B, 3, S, S), targets (B, C) and the generator of one step of a stage.

        `progress` is the fraction of the whole training that is done.
        """
        train, augment = self.train, self.recipe.augment.at(progress)
        rng = step_rng(self.seed, stage, step // self.steps, step)
        indices = self._indices(stage, step)
        labels = train.labels[indices]
        if isinstance(train, ImageSet):
            mirrored = self._mirrored[indices] if augment.alternate_flip else None
            images = augment.augment_uint8(train.images[indices], rng, mirrored)
        else:
            images, labels = self._prefetched(stage, step, labels)
        smoothing = self.recipe.label_smoothing
        batch = augment.to_batch(
            images, labels, len(train.classes), smoothing, train.mean, train.std, rng
        )
        return *batch, rng

    def _prefetched(self, stage: int, step: int, labels: Array) -> tuple[Array, Array]:
        """Request the next steps from the worker processes, then wait for this step's pictures."""
        assert self._prefetcher is not None  # made for a StreamedSet
        self._prefetcher.seek((stage, step))
        for later in range(step, step + self._prefetcher.slots):
            seeds = (self.seed, stage, later // self.steps)
            indices, row = self._indices(stage, later)[self._own], self._own.start
            if not self._prefetcher.request((stage, later), indices, seeds, row):
                break
        pixels, readable = self.ranks.concatenate(*self._prefetcher.get((stage, step)))
        assert isinstance(self.train, StreamedSet)
        return replace_unreadable(pixels, readable, labels, self.train)

    def _indices(self, stage: int, step: int) -> Array:
        """Return the indices of the images of one step."""
        epoch, batch = divmod(step, self.steps)
        if self._epoch != (stage, epoch):
            self._epoch = stage, epoch
            self._order = self._shuffled(stage, epoch)
            self._mirrored = alternately_mirrored(len(self.train), self.seed, stage, epoch)
        return self._order[batch * self.recipe.batch_size : (batch + 1) * self.recipe.batch_size]

    def _shuffled(self, stage: int, epoch: int) -> Array:
        order = epoch_order(len(self.train), self.seed, stage, epoch)
        repeats = self.recipe.augment.repeats
        return np.repeat(order, repeats)[: len(order)] if repeats > 1 else order

    def close(self) -> None:
        """End the processes that decode."""
        if self._prefetcher is not None:
            self._prefetcher.close()
