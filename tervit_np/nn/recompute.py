"""Memory for time: a block keeps its input only, and runs again on the way back (Chen et al. 2016).

The second forward pass draws the same random numbers, so gradients are equal to the last bit. A
model of L blocks then holds L inputs and the caches of one block; a step costs a forward more.
"""

from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array


class Recomputed(NamedTuple):
    """What is kept of a block's forward pass."""

    x: Array
    train: bool
    state: dict[str, Any] | None  # of the generator, before the block drew from it


def block_forward(
    block: Any, x: Array, train: bool, rng: np.random.Generator | None, recompute: bool
) -> tuple[Array, Any]:
    """Run a block; keep its cache, or what is needed to make it again."""
    if not recompute:
        y, cache = block.forward(x, train, rng)
        return y, cache
    state = None if rng is None else dict(rng.bit_generator.state)
    return block.forward(x, train, rng)[0], Recomputed(x, train, state)


def block_backward(block: Any, dy: Array, cache: Any) -> Array:
    """Run a block's backward, after its forward where nothing else was kept.  dy -> dx."""
    if isinstance(cache, Recomputed):
        rng = None
        if cache.state is not None:
            rng = np.random.default_rng()
            rng.bit_generator.state = cache.state
        _, cache = block.forward(cache.x, cache.train, rng)
    dx: Array = block.backward(dy, cache)
    return dx
