"""The two-layer perceptron of a transformer block."""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from tervit_np.arrays import Array
from tervit_np.nn.linear import Linear, QuantLinearCache
from tervit_np.nn.module import Module
from tervit_np.ops.gelu import gelu, gelu_backward


class MLPCache(NamedTuple):
    """What the backward pass needs."""

    fc1: QuantLinearCache
    hidden: Array  # (B, T, hidden)  before the GELU
    fc2: QuantLinearCache


class MLP(Module):
    """x -> fc1 -> GELU -> fc2.  (B, T, D) -> (B, T, D)."""

    def __init__(
        self, dim: int, hidden: int, gelu_form: str = "erf", dtype: DTypeLike = np.float32
    ) -> None:
        self.fc1 = Linear(dim, hidden, dtype)
        self.fc2 = Linear(hidden, dim, dtype)
        self.gelu_form = gelu_form

    def forward(self, x: Array) -> tuple[Array, MLPCache]:
        """Transform each token by itself."""
        hidden, c1 = self.fc1.forward(x)
        active, _ = gelu(hidden, self.gelu_form)
        y, c2 = self.fc2.forward(active)
        return y, MLPCache(c1, hidden, c2)

    def backward(self, dy: Array, cache: MLPCache) -> Array:
        """Add into the gradients, return dx."""
        dactive = self.fc2.backward(dy, cache.fc2)
        dhidden = gelu_backward(dactive, cache.hidden, self.gelu_form)
        return self.fc1.backward(dhidden, cache.fc1)
