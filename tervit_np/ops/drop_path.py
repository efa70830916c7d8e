"""Stochastic depth (Huang et al. 2016): drop a residual branch for whole images.

y = m / (1 - rate) * x,   m = 1 with probability 1 - rate, one draw per image

The others are scaled up, so that evaluation needs no correction. dL/dx = m / (1 - rate) * dy.
"""

import numpy as np

from tervit_np.arrays import Array


def drop_path(
    x: Array, rate: float, train: bool, rng: np.random.Generator | None
) -> tuple[Array, Array | None]:
    """Zero random images, scale the others up; the cache is the factors.  (B, ...) -> (B, ...).

    Raises
    ------
    ValueError
        If the rate is outside of 0 <= rate < 1, or a random generator is needed and `rng` is None.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"drop_path: rate is {rate}, expected at least 0 and below 1")
    if not train or rate == 0.0:
        return x, None
    if rng is None:
        raise ValueError("drop_path: training with a drop rate above 0 needs rng=...")
    keep_mask = rng.random((x.shape[0], *[1] * (x.ndim - 1))) >= rate
    factor = np.where(keep_mask, 1 / (1 - rate), 0).astype(x.dtype)
    return x * factor, factor


def drop_path_backward(dy: Array, factor: Array | None) -> Array:
    """Undo `y = factor * x`.  (B, ...) -> dx (B, ...)."""
    return dy if factor is None else dy * factor
