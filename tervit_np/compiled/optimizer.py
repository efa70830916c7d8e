"""AdamW, the sum of squares for clipping, and the averaged weights, each in one pass.

Twins of train/adamw.py, train/clip.py and train/ema.py. NumPy's AdamW makes nine passes and four
temporary arrays; for parameters that do not fit the cache, that is nine times the memory traffic.
"""

import math

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.arithmetic import address_of, fma
from tervit_np.compiled.exponential import ONE, F
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.row_sums import row_dot


@kernel()
def adamw_(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    bias_correction1: float,
    bias_correction2: float,
) -> None:
    """Update parameters and moments in place; flat arrays of one length."""
    shrink, step = F(1 - lr * weight_decay), F(lr / bias_correction1)
    old1, old2 = F(beta1), F(beta2)
    new1, new2 = F(1 - beta1), F(1 - beta2)
    inv_root, eps32 = F(1 / math.sqrt(bias_correction2)), F(eps)
    for i in range(p.size):
        grad = g[i]
        mean = fma(old1, m[i], new1 * grad)
        square = fma(old2, v[i], new2 * grad * grad)
        m[i], v[i] = mean, square
        p[i] = fma(p[i], shrink, -(step * mean / fma(np.sqrt(square), inv_root, eps32)))


@kernel()
def square_sum(g: Array) -> float:
    """Sum the squares, in float64.  (N,) -> float."""
    return row_dot(address_of(g), address_of(g), g.size, np.float64)


@kernel()
def ema_(average: Array, p: Array, decay: float) -> None:
    """average = decay average + (1 - decay) p; flat arrays of one length."""
    old, new = F(decay), F(ONE - F(decay))
    for i in range(p.size):
        average[i] = fma(old, average[i], new * p[i])
