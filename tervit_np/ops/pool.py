"""Mean over tokens: the classifier's input in models without a class token.

y = 1/T sum_t x_t        dL/dx_t = dy / T
"""

import numpy as np

from tervit_np.arrays import Array


def mean_pool(x: Array) -> tuple[Array, int]:
    """Average the tokens; the cache is their number.  (B, T, D) -> (B, D).

    Raises
    ------
    ValueError
        If there are no tokens.
    """
    if not x.shape[1]:
        raise ValueError(f"mean_pool: x is {x.shape}, expected at least one token")
    return x.mean(axis=1), x.shape[1]


def mean_pool_backward(dy: Array, tokens: int) -> Array:
    """Undo `y = x.mean(axis=1)`.  (B, D) -> dx (B, T, D)."""
    batch, dim = dy.shape
    return np.repeat(dy.reshape(batch, 1, dim) / tokens, tokens, axis=1)
