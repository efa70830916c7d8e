"""LayerNorm of rows, forward and backward, each in one pass over memory.

Twin of ops/layernorm.py. NumPy reads the array eight times; here a row stays in the L1 cache while
mean, variance and output are computed.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.arithmetic import address_of, fma
from tervit_np.compiled.exponential import ONE, F
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.row_sums import row_dot, row_dot3, row_squares, row_sum


@kernel()
def layernorm(x: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, Array, Array]:
    """(M, D), (D,), (D,) -> y (M, D), xhat (M, D), rstd (M, 1)."""
    rows, width = x.shape
    y, xhat = np.empty_like(x), np.empty_like(x)
    rstd = np.empty((rows, 1), np.float32)
    inv_width = ONE / F(width)
    for m in range(rows):
        row = address_of(x) + 4 * m * width
        mean: np.float32 = row_sum(row, width) * inv_width
        r = ONE / np.sqrt(fma(row_squares(row, mean, width), inv_width, F(eps)))
        rstd[m, 0] = r
        for i in range(width):
            normal = (x[m, i] - mean) * r
            xhat[m, i] = normal
            y[m, i] = fma(normal, gamma[i], beta[i])
    return y, xhat, rstd


@kernel()
def layernorm_backward(
    dy: Array, xhat: Array, rstd: Array, gamma: Array
) -> tuple[Array, Array, Array]:
    """(M, D), (M, D), (M, 1), (D,) -> dx (M, D), dgamma (D,), dbeta (D,)."""
    rows, width = dy.shape
    dx = np.empty_like(dy)
    dgamma, dbeta = np.zeros(width, np.float32), np.zeros(width, np.float32)
    inv_width = ONE / F(width)
    for m in range(rows):
        dy_row, xhat_row = address_of(dy) + 4 * m * width, address_of(xhat) + 4 * m * width
        mean_g = row_dot(dy_row, address_of(gamma), width) * inv_width
        mean_gx = row_dot3(dy_row, address_of(gamma), xhat_row, width) * inv_width
        r = rstd[m, 0]
        for i in range(width):
            d, normal = dy[m, i], xhat[m, i]
            dx[m, i] = r * fma(-normal, mean_gx, fma(d, gamma[i], -mean_g))
            dgamma[i] = fma(d, normal, dgamma[i])
            dbeta[i] += d
    return dx, dgamma, dbeta
