"""Random number generators of training, each seeded by (seed, stage, epoch or step).

A generator is used for one step only. A checkpoint therefore stores no generator state, and a
resumed run draws the same numbers.
"""

import numpy as np

from data_tools.imageset import Array

# First words of the seeds, so that the streams differ; workers.py uses 3.
_ORDER, _STEP, _MIRROR = 1, 2, 4


def epoch_order(count: int, seed: int, stage: int, epoch: int) -> Array:
    """Return a permutation of 0..count-1 for one epoch of one stage.  -> (count,)."""
    return np.random.default_rng([_ORDER, seed, stage, epoch]).permutation(count)


def step_rng(seed: int, stage: int, epoch: int, step: int) -> np.random.Generator:
    """Return the generator of one step, for augmentation; drop path draws from its children."""
    return np.random.default_rng([_STEP, seed, stage, epoch, step])


def alternately_mirrored(count: int, seed: int, stage: int, epoch: int) -> Array:
    """Tell which images an epoch mirrors: a random half, and the other half in the next.  (count,).

    Two epochs show both views of every image; independent draws show half of the images twice
    the same (Jordan 2024).
    """
    first: Array = np.random.default_rng([_MIRROR, seed, stage]).random(count) < 0.5
    return first if epoch % 2 == 0 else ~first
