"""Layer normalisation; gamma and beta are named weight and bias, as in checkpoints."""

import numpy as np
from numpy.typing import DTypeLike

from tervit_np.arrays import Array
from tervit_np.nn.module import Module
from tervit_np.ops.layernorm import LayerNormCache, layernorm, layernorm_backward
from tervit_np.param import Param
from tervit_np.quant import IDENTITY, Quantizer


class LayerNorm(Module):
    """Normalise the last axis; eps is 1e-6 in DeiT, 1e-5 in Swin.  (..., D) -> (..., D).

    `gamma_quant` rounds gamma: IDENTITY, or TernaryGamma, whose backward needs no cache either.
    """

    gamma_quant: Quantizer

    def __init__(self, dim: int, eps: float, dtype: DTypeLike = np.float32) -> None:
        self.weight = Param(np.ones(dim, dtype))  # gamma
        self.bias = Param(np.zeros(dim, dtype))  # beta
        self.eps = eps
        self.gamma_quant = IDENTITY

    def gamma_hat(self) -> Array:
        """Return gamma as its quantizer rounds it.  -> (D,)."""
        rounded: Array = self.gamma_quant.forward(self.weight.data)[0]
        return rounded

    def forward(self, x: Array) -> tuple[Array, LayerNormCache]:
        """Normalise, scale, shift."""
        return layernorm(x, self.gamma_hat(), self.bias.data, self.eps)

    def backward(self, dy: Array, cache: LayerNormCache) -> Array:
        """Add into the gradients of gamma and beta, return dx."""
        dx, dgamma, dbeta = layernorm_backward(dy, cache)
        self.weight.grad += self.gamma_quant.backward(dgamma, None)
        self.bias.grad += dbeta
        return dx
