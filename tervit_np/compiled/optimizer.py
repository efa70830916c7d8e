"""One pass over the parameters for each thing that the end of a step does to them.

Twins of train/adamw.py, train/clip.py and train/ema.py. NumPy's AdamW makes nine passes and four
temporary arrays; on parameters that do not fit the cache, that is nine times the memory traffic.
"""

import math
from typing import Any

import numpy as np

from tervit_np.compiled.exponential import ONE, F
from tervit_np.compiled.jit import REORDER, kernel


@kernel(fastmath={"contract"})
def adamw_(
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    lr: float,
    b1: float,
    b2: float,
    eps: float,
    decay: float,
    correction1: float,
    correction2: float,
) -> None:
    """Update parameters and moments in place; flat arrays of one length."""
    keep, step = F(1 - lr * decay), F(lr / correction1)
    first, second = F(b1), F(b2)
    new1, new2 = F(1 - b1), F(1 - b2)
    inverse_root, small = F(1 / math.sqrt(correction2)), F(eps)
    for i in range(p.size):
        grad = g[i]
        mean = first * m[i] + new1 * grad
        square = second * v[i] + new2 * grad * grad
        m[i], v[i] = mean, square
        p[i] = p[i] * keep - step * mean / (np.sqrt(square) * inverse_root + small)


@kernel(fastmath=REORDER)
def square_sum(g: Any) -> float:
    """Sum of squares, accumulated in float64.  (N,) -> float."""
    total = 0.0
    for i in range(g.size):
        wide = np.float64(g[i])
        total += wide * wide
    return total


@kernel(fastmath={"contract"})
def ema_(average: Any, p: Any, decay: float) -> None:
    """a <- d a + (1 - d) p; flat arrays of one length."""
    old, new = F(decay), F(ONE - F(decay))
    for i in range(p.size):
        average[i] = old * average[i] + new * p[i]
