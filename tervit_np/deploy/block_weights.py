"""The weights of a packed block as plain arrays, which the compiled block reads."""

from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import zeros
from tervit_np.deploy.layers import PackedLinear
from tervit_np.kernels import Panels
from tervit_np.kernels.attention import PADDING_BIAS
from tervit_np.kernels.block import BlockWeights, LinearWeights, NormWeights
from tervit_np.kernels.team import round_up
from tervit_np.kernels.tiles import LANES
from tervit_np.nn import Block, LayerNorm, SwinBlock
from tervit_np.ops import relative_bias
from tervit_np.ops.windows import cyclic_shift, window_partition


def block_weights(block: Block | SwinBlock, shape: tuple[int, ...]) -> BlockWeights:
    """Collect the weights of a block for images of `shape` tokens, (T,) in DeiT, (H, W) in Swin."""
    attn: Any = block.attn
    windows = swin_windows(block, shape) if isinstance(block, SwinBlock) else deit_window(shape)
    token_index, attn_bias, bias_index = windows
    return BlockWeights(
        norm1=_norm_weights(block.norm1),
        qkv=_linear_weights(attn.qkv),
        proj=_linear_weights(attn.proj),
        norm2=_norm_weights(block.norm2),
        fc1=_linear_weights(block.mlp.fc1),
        fc2=_linear_weights(block.mlp.fc2),
        token_index=token_index,
        attn_bias=_pad_keys(attn_bias),
        bias_index=bias_index,
        heads=attn.products.heads,
        eps=block.norm1.eps,
        gelu_erf=block.mlp.gelu_form == "erf",
    )


def deit_window(shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """Describe the one window of an image of (T,) tokens, without a bias.

    -> token_index (1, T), attn_bias (1, 1, 1, T), bias_index (1,)
    """
    (tokens,) = shape
    token_index = np.arange(tokens, dtype=np.int32)[None]
    return token_index, np.zeros((1, 1, 1, tokens), np.float32), np.zeros(1, np.int32)


def swin_windows(block: SwinBlock, shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """Describe the windows of a map of (H, W) tokens.

    -> token_index (nW, T), attn_bias (N, H, T, T), bias_index (nW,)

    Without a shift, all windows have the same bias. With a shift there are at most four masks, and
    so N <= 4 biases: of windows at no edge, at the right edge, at the lower edge, in the corner.
    """
    numbers = np.arange(shape[0] * shape[1], dtype=np.int32).reshape(1, *shape, 1)
    windows = window_partition(cyclic_shift(numbers, block.shift_size), block.window)[:, :, 0]
    token_index = np.ascontiguousarray(windows)
    attn = block.attn
    bias = relative_bias(attn.relative_position_bias_table.data, attn.relative_position_index)
    if block.mask is None:
        return token_index, bias[None], np.zeros(len(token_index), np.int32)
    masks, bias_index = np.unique(block.mask, axis=0, return_inverse=True)
    attn_bias = bias[None] + masks[:, None].astype(np.float32)
    return token_index, attn_bias, bias_index.reshape(-1).astype(np.int32)


def _pad_keys(attn_bias: Array) -> Array:
    """Pad the keys to whole registers, with PADDING_BIAS.  (..., T) -> (..., T')."""
    keys = attn_bias.shape[-1]
    padded = zeros((*attn_bias.shape[:-1], round_up(keys, LANES)), np.float32)
    padded[...] = PADDING_BIAS
    padded[..., :keys] = attn_bias
    return padded


def _norm_weights(norm: LayerNorm) -> NormWeights:
    return NormWeights(norm.gamma_hat(), norm.bias.data)


def _linear_weights(layer: Any) -> LinearWeights:
    """Return a ternary layer's panels, and its bias padded to whole panels."""
    assert isinstance(layer, PackedLinear) and isinstance(layer.packed, Panels)
    bias: Array = np.zeros(len(layer.packed.scale), np.float32)
    if layer.bias is not None:
        bias[: len(layer.bias)] = layer.bias
    return LinearWeights(layer.packed, bias)
