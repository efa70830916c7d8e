"""Swin's step from one stage to the next: half the height and width, twice the channels."""

import numpy as np
from numpy.typing import DTypeLike

from tervit_np.arrays import Array
from tervit_np.nn.layernorm import LayerNorm
from tervit_np.nn.linear import Linear, QuantLinearCache
from tervit_np.nn.module import Module
from tervit_np.nn.swin_block import EPS
from tervit_np.ops.layernorm import LayerNormCache
from tervit_np.ops.merging import merge, merge_backward


class PatchMerging(Module):
    """Gather, normalise, project without bias.  (B, H, W, C) -> (B, H/2, W/2, 2 C)."""

    def __init__(self, dim: int, dtype: DTypeLike = np.float32) -> None:
        self.reduction = Linear(4 * dim, 2 * dim, dtype, bias=False)
        self.norm = LayerNorm(4 * dim, EPS, dtype)

    def forward(self, x: Array) -> tuple[Array, tuple[LayerNormCache, QuantLinearCache]]:
        """Merge."""
        normed, c1 = self.norm.forward(merge(x))
        y, c2 = self.reduction.forward(normed)
        return y, (c1, c2)

    def backward(self, dy: Array, cache: tuple[LayerNormCache, QuantLinearCache]) -> Array:
        """Add into the gradients, return dx."""
        return merge_backward(self.norm.backward(self.reduction.backward(dy, cache[1]), cache[0]))
