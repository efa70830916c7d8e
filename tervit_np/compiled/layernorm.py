"""Layer normalisation of rows, forward and backward in one pass over memory each.

Twin of ops/layernorm.py: NumPy walks over the array eight times, here a row stays in the nearest
cache while mean, variance and output are made.
"""

from typing import Any

import numpy as np

from tervit_np.compiled.exponential import ONE, F
from tervit_np.compiled.jit import REORDER, kernel


@kernel(fastmath=REORDER)
def layernorm(x: Any, gamma: Any, beta: Any, eps: float) -> Any:
    """(M, D), (D,), (D,) -> y (M, D), xhat (M, D), rstd (M, 1)."""
    rows, width = x.shape
    y, xhat = np.empty_like(x), np.empty_like(x)
    rstd = np.empty((rows, 1), np.float32)
    share = ONE / F(width)
    for m in range(rows):
        total = F(0)
        for i in range(width):
            total += x[m, i]
        mean = total * share
        squares = F(0)
        for i in range(width):
            centred = x[m, i] - mean
            squares += centred * centred
        r = ONE / np.sqrt(squares * share + F(eps))
        rstd[m, 0] = r
        for i in range(width):
            normal = (x[m, i] - mean) * r
            xhat[m, i] = normal
            y[m, i] = normal * gamma[i] + beta[i]
    return y, xhat, rstd


@kernel(fastmath=REORDER)
def layernorm_backward(dy: Any, xhat: Any, rstd: Any, gamma: Any) -> Any:
    """(M, D), (M, D), (M, 1), (D,) -> dx (M, D), dgamma (D,), dbeta (D,)."""
    rows, width = dy.shape
    dx = np.empty_like(dy)
    dgamma, dbeta = np.zeros(width, np.float32), np.zeros(width, np.float32)
    share = ONE / F(width)
    for m in range(rows):
        ones, along = F(0), F(0)
        for i in range(width):
            g = dy[m, i] * gamma[i]
            ones += g
            along += g * xhat[m, i]
        ones, along, r = ones * share, along * share, rstd[m, 0]
        for i in range(width):
            d, normal = dy[m, i], xhat[m, i]
            dx[m, i] = r * (d * gamma[i] - ones - normal * along)
            dgamma[i] += d * normal
            dbeta[i] += d
    return dx, dgamma, dbeta
