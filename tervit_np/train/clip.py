"""Gradient clipping by the global norm (Pascanu et al. 2013), as PyTorch does it.

g = g min(1, c / (|g| + 1e-6)),   |g| over all parameters together
"""

import math

import numpy as np

from tervit_np.param import Param
from tervit_np.twins import twin


def clip_grad_norm(named_params: list[tuple[str, Param]], max_norm: float) -> float:
    """Scale all gradients down if their norm exceeds `max_norm`; return the norm before."""
    total = 0.0
    for _, param in named_params:
        flat = param.grad.reshape(-1)
        fast = twin(flat)
        total += float(np.dot(flat, flat)) if fast is None else fast.square_sum(flat)
    norm = math.sqrt(total)
    factor = max_norm / (norm + 1e-6)
    if factor < 1:
        for _, param in named_params:
            param.grad *= factor
    return norm
