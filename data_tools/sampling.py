"""Random number generators of training, each seeded by (seed, stage, epoch or step).

A generator is used for one step only. A checkpoint therefore stores no generator state, and a
resumed run draws the same numbers.
"""

import numpy as np

from data_tools.imageset import Array

_ORDER, _STEP = 1, 2  # first words of the seeds, so that the two streams differ


def epoch_order(count: int, seed: int, stage: int, epoch: int) -> Array:
    """Return a permutation of 0..count-1 for one epoch of one stage.  -> (count,)."""
    return np.random.default_rng([_ORDER, seed, stage, epoch]).permutation(count)


def step_rng(seed: int, stage: int, epoch: int, step: int) -> np.random.Generator:
    """Return the generator of one step, for augmentation; drop path draws from its children."""
    return np.random.default_rng([_STEP, seed, stage, epoch, step])
