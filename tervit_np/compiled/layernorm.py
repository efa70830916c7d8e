"""LayerNorm of rows, forward and backward, each in one pass over memory.

Twin of ops/layernorm.py. NumPy reads the array eight times; here a row stays in the L1 cache while
mean, variance and output are computed.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.exponential import ONE, F
from tervit_np.compiled.jit import REORDER, kernel


@kernel(fastmath=REORDER)
def layernorm(x: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, Array, Array]:
    """(M, D), (D,), (D,) -> y (M, D), xhat (M, D), rstd (M, 1)."""
    rows, width = x.shape
    y, xhat = np.empty_like(x), np.empty_like(x)
    rstd = np.empty((rows, 1), np.float32)
    inv_width = ONE / F(width)
    for m in range(rows):
        total = F(0)
        for i in range(width):
            total += x[m, i]
        mean = total * inv_width
        squares = F(0)
        for i in range(width):
            centred = x[m, i] - mean
            squares += centred * centred
        r = ONE / np.sqrt(squares * inv_width + F(eps))
        rstd[m, 0] = r
        for i in range(width):
            normal = (x[m, i] - mean) * r
            xhat[m, i] = normal
            y[m, i] = normal * gamma[i] + beta[i]
    return y, xhat, rstd


@kernel(fastmath=REORDER)
def layernorm_backward(
    dy: Array, xhat: Array, rstd: Array, gamma: Array
) -> tuple[Array, Array, Array]:
    """(M, D), (M, D), (M, 1), (D,) -> dx (M, D), dgamma (D,), dbeta (D,)."""
    rows, width = dy.shape
    dx = np.empty_like(dy)
    dgamma, dbeta = np.zeros(width, np.float32), np.zeros(width, np.float32)
    inv_width = ONE / F(width)
    for m in range(rows):
        mean_g, mean_gx = F(0), F(0)
        for i in range(width):
            g = dy[m, i] * gamma[i]
            mean_g += g
            mean_gx += g * xhat[m, i]
        mean_g, mean_gx, r = mean_g * inv_width, mean_gx * inv_width, rstd[m, 0]
        for i in range(width):
            d, normal = dy[m, i], xhat[m, i]
            dx[m, i] = r * (d * gamma[i] - mean_g - normal * mean_gx)
            dgamma[i] += d * normal
            dbeta[i] += d
    return dx, dgamma, dbeta
