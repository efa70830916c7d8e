"""Where every random number of training comes from: a function of the seed and the place.

No generator lives longer than one step, so nothing but (seed, stage, epoch, step) has to be saved
for a run to continue to the same bits.
"""

import numpy as np

from data_tools.imageset import Array

_ORDER, _STEP = 1, 2  # keep the two streams apart


def epoch_order(count: int, seed: int, stage: int, epoch: int) -> Array:
    """Shuffle 0..count-1 for one epoch of one stage.  -> (count,)."""
    return np.random.default_rng([_ORDER, seed, stage, epoch]).permutation(count)


def step_rng(seed: int, stage: int, epoch: int, step: int) -> np.random.Generator:
    """Return the generator of one step: augmentation draws from it, drop path from its children."""
    return np.random.default_rng([_STEP, seed, stage, epoch, step])
