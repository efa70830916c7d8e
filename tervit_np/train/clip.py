"""Gradient clipping by the global norm (Pascanu et al. 2013), as PyTorch does it.

g = g min(1, c / (|g| + 1e-6)),   |g| over all parameters together
"""

import math
from collections.abc import Iterable

import numpy as np

from tervit_np.dispatch import compiled
from tervit_np.param import Param


def clip_grad_norm(named_params: Iterable[tuple[str, Param]], max_norm: float) -> float:
    """Scale all gradients down if their norm exceeds `max_norm`; return the norm before.

    If the norm is not finite, the gradients stay as they are; the caller must check the result.

    Raises
    ------
    ValueError
        If `max_norm` is not positive: a negative one would reverse the gradients.
    """
    if not max_norm > 0:
        raise ValueError(f"clip_grad_norm: max_norm is {max_norm}, expected a positive number")
    params = [param for _, param in named_params]  # an iterator can be read only once
    total = 0.0
    for param in params:
        flat = param.grad.reshape(-1)
        if (compiled_ops := compiled(flat)) is not None:
            total += compiled_ops.square_sum(flat)
        else:
            total += float(np.square(flat, dtype=np.float64).sum())
    norm = math.sqrt(total)
    factor = max_norm / (norm + 1e-6)
    if factor < 1 and math.isfinite(norm):
        for param in params:
            param.grad *= factor
    return norm
