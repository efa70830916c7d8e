"""Swin (Liu et al. 2021): attention in shifted windows, on maps that shrink from stage to stage.

    image -> 4 x 4 patches or a stem, LayerNorm -> stages of blocks, merging between them
          -> LayerNorm, mean over tokens -> head

Names and order of the parameters are those of the authors' checkpoints.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from tervit_np import ops
from tervit_np.arrays import Array
from tervit_np.models.classifier import Classifier, Logits, float_dtype
from tervit_np.models.initialization import initialize
from tervit_np.models.swin_config import SwinConfig
from tervit_np.nn import (
    Blocks,
    Conv3Stem,
    LayerNorm,
    Linear,
    Module,
    PatchEmbed,
    PatchMerging,
    SwinBlock,
)
from tervit_np.nn.linear import QuantLinearCache
from tervit_np.nn.swin_block import EPS
from tervit_np.ops.layernorm import LayerNormCache


class SwinPatchEmbed(PatchEmbed):
    """Patches, and the LayerNorm that follows.  (B, 3, H, W) -> (B, N, D)."""

    def __init__(self, patch: int, dim: int, dtype: DTypeLike) -> None:
        super().__init__(patch, dim, dtype)
        self.norm = LayerNorm(dim, EPS, dtype)


class SwinStemEmbed(Conv3Stem):
    """A stem of three convolutions, and the LayerNorm that follows.  (B, 3, H, W) -> (B, N, D)."""

    def __init__(self, dim: int, gelu_form: str, dtype: DTypeLike) -> None:
        super().__init__(dim, gelu_form, dtype)
        self.norm = LayerNorm(dim, EPS, dtype)


class SwinStage(Module):
    """Blocks on maps of one size, then patch merging, except in the last stage."""

    def __init__(
        self, config: SwinConfig, index: int, rates: list[float], dtype: DTypeLike
    ) -> None:
        c, dim = config, config.dim * 2**index
        heads, side = c.heads[index], c.sides[index]
        self.blocks = Blocks(
            SwinBlock(
                dim, heads, side, c.window, j % 2 == 1, int(dim * c.mlp_ratio), rate, c.gelu, dtype
            )
            for j, rate in enumerate(rates)
        )
        self.downsample = None if index == len(c.depths) - 1 else PatchMerging(dim, dtype)

    def forward(
        self,
        x: Array,
        train: bool,
        rng: np.random.Generator | None,
        recompute: bool,
        keep_cache: bool,
    ) -> tuple[Array, tuple[list[Any], Any]]:
        """Run the blocks.  (B, H, W, D) -> (B, H, W, D) or (B, H/2, W/2, 2 D)."""
        x, caches = self.blocks.forward(x, train, rng, recompute, keep_cache)
        if self.downsample is None:
            return x, (caches, None)
        x, merging = self.downsample.forward(x)
        return x, (caches, merging)

    def backward(self, dy: Array, cache: tuple[list[Any], Any]) -> Array:
        """Add into the gradients, return dx."""
        if self.downsample is not None:
            dy = self.downsample.backward(dy, cache[1])
        return self.blocks.backward(dy, cache[0])


class SwinCache(NamedTuple):
    """What the backward pass needs."""

    patch_embed: Any  # PatchProjectionCache or ConvStemCache
    embed_norm: LayerNormCache
    layers: list[Any]
    norm: LayerNormCache
    shape: tuple[int, ...]  # of the last map
    head: QuantLinearCache


class Swin(Classifier):
    """A shifted-window transformer with forward and backward passes written by hand."""

    def __init__(
        self, config: SwinConfig, rng: np.random.Generator | None, dtype: DTypeLike = "float32"
    ) -> None:
        self.config, self.dtype = config, float_dtype(dtype)
        dtype = self.dtype
        self.patch_embed: SwinPatchEmbed | SwinStemEmbed
        if config.stem == "conv3":
            self.patch_embed = SwinStemEmbed(config.dim, config.gelu, dtype)
        else:
            self.patch_embed = SwinPatchEmbed(config.patch_size, config.dim, dtype)
        rates = np.linspace(0, config.drop_path, sum(config.depths)).tolist()
        starts = np.cumsum([0, *config.depths]).tolist()
        self.layers = [
            SwinStage(config, i, rates[starts[i] : starts[i + 1]], dtype)
            for i in range(len(config.depths))
        ]
        last_dim = config.dim * 2 ** (len(config.depths) - 1)
        self.norm = LayerNorm(last_dim, EPS, dtype)
        self.head = Linear(last_dim, config.num_classes, dtype)
        if rng is not None:
            initialize(self, config.init, rng)

    def forward(
        self,
        images: Array,
        *,
        train: bool = False,
        rng: np.random.Generator | None = None,
        keep_cache: bool = True,
    ) -> tuple[Array, SwinCache]:
        """Classify normalised images.  (B, 3, H, W) -> logits (B, C).

        Without `keep_cache` the blocks' caches are dropped at once, and `backward` cannot run.

        Raises
        ------
        ValueError
            If the images have another shape or are no floating-point numbers.
        """
        self.check_images(images)
        z, c0 = self.patch_embed.forward(images.astype(self.dtype, copy=False))
        z, c1 = self.patch_embed.norm.forward(z)
        side = self.config.sides[0]
        x = z.reshape(len(images), side, side, self.config.dim)
        caches = []
        for stage in self.layers:
            x, cache = stage.forward(x, train, rng, self.recompute, keep_cache)
            caches.append(cache)
        normed, c2 = self.norm.forward(x)
        pooled, _ = ops.mean_pool(_as_tokens(normed))
        logits, c3 = self.head.forward(pooled)
        return logits, SwinCache(c0, c1, caches, c2, x.shape, c3)

    def backward(self, dlogits: Logits, cache: SwinCache, *, input_grad: bool = True) -> Array:
        """Add into every gradient; return dimages (B, 3, H, W), empty without `input_grad`.

        Raises
        ------
        ValueError
            If `dlogits` does not have the shape of the logits, or the model is packed.
        """
        self.require_latent_weights()
        (dlogits,) = self.dlogits_per_head(dlogits, cache.shape[0], 1)
        dpooled = self.head.backward(dlogits, cache.head)
        tokens = cache.shape[1] * cache.shape[2]
        dnormed = ops.mean_pool_backward(dpooled, tokens).reshape(cache.shape)
        dx = self.norm.backward(dnormed, cache.norm)
        for stage, stage_cache in zip(self.layers[::-1], cache.layers[::-1], strict=True):
            dx = stage.backward(dx, stage_cache)
        dz = self.patch_embed.norm.backward(_as_tokens(dx), cache.embed_norm)
        dimages = self.patch_embed.backward(dz, cache.patch_embed, input_grad)
        return np.empty(0, self.dtype) if dimages is None else dimages


def _as_tokens(x: Array) -> Array:
    """View a map as a row of tokens.  (B, H, W, D) -> (B, H W, D)."""
    batch, height, width, dim = x.shape
    return x.reshape(batch, height * width, dim)
