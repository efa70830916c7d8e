"""Error bars by resampling the images (bootstrap, Efron 1979).

Draw N of N images with replacement, many times; the standard deviation of the mean over these draws
is its standard error. All curves share one set of draws, so that the two losses of a difference are
resampled in pairs, and their common variation cancels.
"""

import numpy as np

from tervit_np.arrays import Array

REPEATS = 1000
_STREAM = 0xB007


def bootstrap_weights(count: int, seed: int = 0, repeats: int = REPEATS) -> Array:
    """Draw the weight of each image in each resample.  -> (repeats, count), rows sum to 1."""
    rng = np.random.default_rng([_STREAM, seed])
    return rng.multinomial(count, np.full(count, 1 / count), size=repeats) / count


def standard_error(losses: Array, weights: Array) -> Array:
    """Return the bootstrap standard error of the mean over images.  (..., N), (R, N) -> (...)."""
    flat = losses.reshape(-1, losses.shape[-1]).astype(np.float64)
    error: Array = (flat @ weights.T).std(axis=1, ddof=1)
    return error.reshape(losses.shape[:-1])
