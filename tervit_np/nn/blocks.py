"""A run of blocks, one after another; and memory for time on the way back (Chen et al. 2016).

With `recompute` a block keeps its input only, and runs again when its gradient is asked for. The
second forward pass draws the same random numbers, so gradients are equal to the last bit. A model
of L blocks then holds L inputs and the caches of one block; a step costs a forward more.
"""

from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array


class CheckpointedInput(NamedTuple):
    """What is kept of a block's forward pass."""

    x: Array
    train: bool
    state: dict[str, Any] | None  # of the generator, before the block drew from it


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
            state = None if rng is None or not recompute else dict(rng.bit_generator.state)
            y, cache = block.forward(x, train, rng)
            if recompute:
                cache = CheckpointedInput(x, train, state)
            caches.append(cache if keep_cache else None)
            x = y
        return x, caches

    def backward(self, dy: Array, caches: list[Any]) -> Array:
        """Run all backward passes, each after its forward where nothing else was kept."""
        for block, cache in zip(self[::-1], caches[::-1], strict=True):
            if isinstance(cache, CheckpointedInput):
                cache = _again(block, cache)
            dy = block.backward(dy, cache)
        return dy


def _again(block: Any, kept: CheckpointedInput) -> Any:
    """Run a block a second time.  -> its cache."""
    rng = None
    if kept.state is not None:
        rng = np.random.default_rng()
        rng.bit_generator.state = kept.state
    return block.forward(kept.x, kept.train, rng)[1]
