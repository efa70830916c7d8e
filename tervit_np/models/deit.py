"""DeiT, the data-efficient image transformer (Touvron et al. 2021), in the official shape.

    patches -> [cls, (dist), patches] + positions -> depth blocks -> norm -> head (and head_dist)

Parameter names and their order are those of the official checkpoints. With a distillation token the
model returns a pair of logits; `predict` returns their mean, as the authors' code does. Their paper
adds the two heads' probabilities instead.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from data_tools.plain_numbers import use_plain_numbers
from tervit_np import ops
from tervit_np.arrays import Array
from tervit_np.models.classifier import Classifier, Logits, float_dtype
from tervit_np.models.initialization import SCHEMES, initialize
from tervit_np.models.limits import check_choice, check_drop_path, check_mlp_ratio, check_size
from tervit_np.nn import Block, Blocks, Conv3Stem, ConvStem, LayerNorm, Linear, PatchEmbed
from tervit_np.nn.linear import QuantLinearCache
from tervit_np.ops.gelu import FORMS
from tervit_np.ops.layernorm import LayerNormCache
from tervit_np.param import Param


@dataclass(frozen=True)
class DeiTConfig:
    """The configuration of a DeiT.

    Raises
    ------
    ValueError
        If sizes do not divide, or an option is unknown or contradicts another.
    """

    image_size: int
    patch_size: int
    num_classes: int
    dim: int
    depth: int
    heads: int
    mlp_ratio: float = 4.0
    distilled: bool = False
    drop_path: float = 0.0
    stem: str = "linear"  # or "conv", "conv3"
    pool: str = "cls"  # or "mean": no class token, the mean of all tokens after the last norm
    init: str = "deit"  # or "xavier"
    gelu: str = "erf"  # or "tanh"

    def __post_init__(self) -> None:
        use_plain_numbers(self)
        check_choice("stem", self.stem, ("linear", "conv", "conv3"))
        check_choice("pool", self.pool, ("cls", "mean"))
        check_choice("init", self.init, SCHEMES)
        check_choice("gelu", self.gelu, FORMS)
        for field in ("image_size", "patch_size", "num_classes", "dim", "depth", "heads"):
            check_size(field, getattr(self, field))
        if type(self.distilled) is not bool:
            raise ValueError(f"distilled is {self.distilled!r}, expected True or False")
        check_mlp_ratio(self.mlp_ratio, self.dim)
        check_drop_path(self.drop_path)
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}"
            )
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        if self.distilled and self.pool == "mean":
            raise ValueError('a distilled model needs its tokens: pool must be "cls"')
        if self.stem == "conv" and (self.patch_size % 4 or self.dim % 4):
            raise ValueError(
                f"the conv stem needs patch_size and dim in multiples of 4, "
                f"found {self.patch_size} and {self.dim}"
            )
        if self.stem == "conv3" and self.patch_size != 4:
            raise ValueError(f"the conv3 stem needs patch_size 4, found {self.patch_size}")

    @property
    def patches(self) -> int:
        """Number of patches."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def extra_tokens(self) -> int:
        """Number of tokens that are not patches."""
        return 0 if self.pool == "mean" else 1 + self.distilled

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return self.depth

    @property
    def parameters(self) -> int:
        """Number of parameters of a model, computed without building one."""
        dim, hidden = self.dim, int(self.dim * self.mlp_ratio)
        block = 4 * dim + 4 * dim * dim + 4 * dim + 2 * dim * hidden + hidden + dim
        tokens = (2 * self.extra_tokens + self.patches) * dim
        heads = (1 + self.distilled) * self.num_classes * (dim + 1)
        return self._stem_parameters + tokens + self.depth * block + 2 * dim + heads

    @property
    def _stem_parameters(self) -> int:
        dim, patch = self.dim, self.patch_size
        if self.stem == "linear":
            return dim * (3 * patch**2 + 1)
        if self.stem == "conv3":
            return Conv3Stem.parameters(dim)
        quarter, half = dim // 4, dim // 2
        convolutions = quarter * (27 + 1) + half * (9 * quarter + 1)
        return convolutions + dim * (half * (patch // 4) ** 2 + 1)

    @property
    def buffer_bytes(self) -> int:
        """Bytes of a model's arrays that are not parameters: none."""
        return 0


class DeiTCache(NamedTuple):
    """What the backward pass needs."""

    patch_embed: Any  # PatchProjectionCache or ConvStemCache
    blocks: list[Any]  # for each block a BlockCache or a CheckpointedInput
    norm: LayerNormCache
    shape: tuple[int, ...]  # of the tokens after the last block, (B, T, D)
    heads: list[QuantLinearCache]


class DeiT(Classifier):
    """A vision transformer with forward and backward passes written by hand."""

    def __init__(
        self, config: DeiTConfig, rng: np.random.Generator | None, dtype: DTypeLike = "float32"
    ) -> None:
        self.config, self.dtype = config, float_dtype(dtype)
        c, dim, dtype = config, config.dim, self.dtype
        if c.pool == "cls":
            self.cls_token = Param(np.zeros((1, 1, dim), dtype))
        self.pos_embed = Param(np.zeros((1, c.extra_tokens + c.patches, dim), dtype))
        if c.distilled:
            self.dist_token = Param(np.zeros((1, 1, dim), dtype))
        self.patch_embed: PatchEmbed | ConvStem
        if c.stem == "conv":
            self.patch_embed = ConvStem(c.patch_size, dim, c.gelu, dtype)
        elif c.stem == "conv3":
            self.patch_embed = Conv3Stem(dim, c.gelu, dtype)
        else:
            self.patch_embed = PatchEmbed(c.patch_size, dim, dtype)
        rates = np.linspace(0, c.drop_path, c.depth)
        hidden = int(dim * c.mlp_ratio)
        self.blocks = Blocks(Block(dim, c.heads, hidden, float(r), c.gelu, dtype) for r in rates)
        self.norm = LayerNorm(dim, 1e-6, dtype)
        self.head = Linear(dim, c.num_classes, dtype)
        if c.distilled:
            self.head_dist = Linear(dim, c.num_classes, dtype)
        if rng is not None:
            initialize(self, c.init, rng)

    def forward(
        self,
        images: Array,
        *,
        train: bool = False,
        rng: np.random.Generator | None = None,
        keep_cache: bool = True,
    ) -> tuple[Logits, DeiTCache]:
        """Classify normalised images.  (B, 3, H, W) -> logits (B, C), or a pair if distilled.

        Without `keep_cache` the blocks' caches are dropped at once, and `backward` cannot run.

        Raises
        ------
        ValueError
            If the images have another shape or are no floating-point numbers.
        """
        self.check_images(images)
        z, c1 = self.patch_embed.forward(images.astype(self.dtype, copy=False))
        z = ops.add_tokens(z, [token.data for token in self._tokens()], self.pos_embed.data)
        z, caches = self.blocks.forward(z, train, rng, self.recompute, keep_cache)
        normed, c2 = self.norm.forward(z)
        if self.config.pool == "mean":
            pooled = [ops.mean_pool(normed)[0]]
        else:
            pooled = [normed[:, i] for i in range(self.config.extra_tokens)]
        outs = [head.forward(x) for head, x in zip(self._heads(), pooled, strict=True)]
        logits = tuple(out[0] for out in outs)
        cache = DeiTCache(c1, caches, c2, normed.shape, [out[1] for out in outs])
        return (logits if self.config.distilled else logits[0]), cache

    def backward(self, dlogits: Logits, cache: DeiTCache, *, input_grad: bool = True) -> Array:
        """Add into every gradient; return dimages (B, 3, H, W).

        `input_grad=False` skips the product for dimages, which training does not need, and returns
        an empty array.

        Raises
        ------
        ValueError
            If `dlogits` does not have the shape of the logits, or the model is packed.
        """
        self.require_latent_weights()
        per_head = self.dlogits_per_head(dlogits, cache.shape[0], len(self._heads()))
        heads = zip(self._heads(), per_head, cache.heads, strict=True)
        dpooled = [head.backward(d, c) for head, d, c in heads]
        if self.config.pool == "mean":
            dnormed = ops.mean_pool_backward(dpooled[0], cache.shape[1])
        else:
            dnormed = np.zeros(cache.shape, self.dtype)
            for i, d in enumerate(dpooled):
                dnormed[:, i] = d
        dz = self.blocks.backward(self.norm.backward(dnormed, cache.norm), cache.blocks)
        dpatches, dtokens, dpos = ops.add_tokens_backward(dz, self.config.extra_tokens)
        self.pos_embed.grad += dpos
        for token, d in zip(self._tokens(), dtokens, strict=True):
            token.grad += d
        dimages = self.patch_embed.backward(dpatches, cache.patch_embed, input_grad)
        return np.empty(0, self.dtype) if dimages is None else dimages

    def _tokens(self) -> list[Param]:
        if self.config.pool == "mean":
            return []
        return [self.cls_token, self.dist_token] if self.config.distilled else [self.cls_token]

    def _heads(self) -> list[Linear]:
        return [self.head, self.head_dist] if self.config.distilled else [self.head]
