"""A sequence of blocks, with gradient checkpointing on request (Chen et al. 2016).

With `recompute` a block caches its input alone, and the backward pass runs the block again. The
second forward draws the same random numbers, so gradients are equal to the last bit. A model of L
blocks then stores L inputs and the caches of one block; a step takes one more forward.
"""

from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array


class CheckpointedInput(NamedTuple):
    """A block's input, from which the backward pass computes its cache again."""

    x: Array
    train: bool
    rng: np.random.Generator | None  # as it was before the block drew from it


class Blocks(list[Any]):
    """The blocks of a model or of one of its stages."""

    def forward(
        self,
        x: Array,
        train: bool = False,
        rng: np.random.Generator | None = None,
        recompute: bool = False,
        keep_cache: bool = True,
    ) -> tuple[Array, list[Any]]:
        """Run all blocks; without `keep_cache` drop their caches.  (B, ..., D) -> (B, ..., D)."""
        caches = []
        for block in self:
            rng_before = deepcopy(rng) if recompute else None
            y, cache = block.forward(x, train, rng)
            if recompute:
                cache = CheckpointedInput(x, train, rng_before)
            caches.append(cache if keep_cache else None)
            x = y
        return x, caches

    def backward(self, dy: Array, caches: list[Any]) -> Array:
        """Run all backward passes, each after its forward if only the input is cached.

        Raises
        ------
        ValueError
            If the forward pass has kept no caches.
        """
        if caches and caches[0] is None:
            raise ValueError("backward: the forward pass ran with keep_cache=False; leave it out")
        for block, cache in zip(self[::-1], caches[::-1], strict=True):
            if isinstance(cache, CheckpointedInput):
                cache = block.forward(cache.x, cache.train, deepcopy(cache.rng))[1]
            dy = block.backward(dy, cache)
        return dy
