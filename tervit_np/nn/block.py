"""The pre-norm transformer block (Dosovitskiy et al. 2021, eq. 2-3).

    x = x + drop_path(attn(norm1(x)))
    x = x + drop_path(mlp(norm2(x)))

The branches draw independently which images they drop. The gradient of a sum goes to both terms, so
dx is the gradient of the skip connection plus that of the branch.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from tervit_np.arrays import Array
from tervit_np.nn.attention import Attention, AttentionModuleCache
from tervit_np.nn.layernorm import LayerNorm
from tervit_np.nn.mlp import MLP, MLPCache
from tervit_np.nn.module import Module
from tervit_np.ops.drop_path import drop_path, drop_path_backward
from tervit_np.ops.layernorm import LayerNormCache


class BlockCache(NamedTuple):
    """What the backward pass needs."""

    norm1: LayerNormCache
    attn: AttentionModuleCache
    drop1: Array | None
    norm2: LayerNormCache
    mlp: MLPCache
    drop2: Array | None


class Block(Module):
    """Attention and MLP, each after a LayerNorm and with a skip.  (B, T, D) -> (B, T, D)."""

    def __init__(
        self,
        dim: int,
        heads: int,
        hidden: int,
        drop_rate: float,
        gelu_form: str = "erf",
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.norm1 = LayerNorm(dim, 1e-6, dtype)
        self.attn = Attention(dim, heads, dtype)
        self.norm2 = LayerNorm(dim, 1e-6, dtype)
        self.mlp = MLP(dim, hidden, gelu_form, dtype)
        self.drop_rate = drop_rate

    def forward(
        self, x: Array, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Array, BlockCache]:
        """Run both branches."""
        normed, c1 = self.norm1.forward(x)
        branch, c2 = self.attn.forward(normed)
        branch, c3 = drop_path(branch, self.drop_rate, train, rng)
        branch += x  # in place: branch is a new array, x belongs to the caller
        x = branch
        normed, c4 = self.norm2.forward(x)
        branch, c5 = self.mlp.forward(normed)
        branch, c6 = drop_path(branch, self.drop_rate, train, rng)
        branch += x
        return branch, BlockCache(c1, c2, c3, c4, c5, c6)

    def backward(self, dy: Array, cache: BlockCache) -> Array:
        """Add into the gradients, return dx."""
        # exercise block_backward: dx, from the backward passes of the parts
        dbranch = self.mlp.backward(drop_path_backward(dy, cache.drop2), cache.mlp)
        dx = self.norm2.backward(dbranch, cache.norm2)
        dx += dy
        dbranch = self.attn.backward(drop_path_backward(dx, cache.drop1), cache.attn)
        dx_in = self.norm1.backward(dbranch, cache.norm1)
        dx_in += dx
        return dx_in
