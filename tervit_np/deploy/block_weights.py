"""From blocks as modules to the plain arrays that the compiled block reads."""

from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import zeros
from tervit_np.deploy.layers import PackedLinear
from tervit_np.kernels import Panels
from tervit_np.kernels.attention import PADDING
from tervit_np.kernels.block import BlockWeights, Dense, Norm
from tervit_np.kernels.team import round_up
from tervit_np.kernels.tiles import LANES
from tervit_np.nn import Block, LayerNorm, SwinBlock
from tervit_np.ops import relative_bias
from tervit_np.ops.windows import cyclic_shift, window_partition


def block_weights(block: Block | SwinBlock, shape: tuple[int, ...]) -> BlockWeights:
    """Collect the weights of a block for tokens (T,) or maps (H, W)."""
    attn: Any = block.attn
    places, kinds, offsets = (
        _windows(block, shape) if isinstance(block, SwinBlock) else _image(shape)
    )
    return BlockWeights(
        _norm(block.norm1),
        _dense(attn.qkv),
        _dense(attn.proj),
        _norm(block.norm2),
        _dense(block.mlp.fc1),
        _dense(block.mlp.fc2),
        places,
        kinds,
        offsets,
        attn.products.heads,
        block.norm1.eps,
        block.mlp.gelu_form == "erf",
    )


def _image(shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """Return the one group of a DeiT's image, and nothing to add."""
    groups = np.arange(shape[0], dtype=np.int32)[None]
    return groups, np.zeros(1, np.int32), _padded(np.zeros((1, 1, 1, shape[0]), np.float32))


def _windows(block: SwinBlock, shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """Return a map's windows, the kind of each, and the offsets of each kind.

    Shifted windows have at most four masks: inside, right edge, lower edge, corner.
    """
    numbers = np.arange(shape[0] * shape[1], dtype=np.int32).reshape(1, *shape, 1)
    shifted = cyclic_shift(numbers, block.shift_size)
    groups = np.ascontiguousarray(window_partition(shifted, block.window)[:, :, 0])
    attn = block.attn
    bias = relative_bias(attn.relative_position_bias_table.data, attn.relative_position_index)
    if block.mask is None:
        return groups, np.zeros(len(groups), np.int32), _padded(bias[None])
    masks, kinds = np.unique(block.mask, axis=0, return_inverse=True)
    offsets = bias[None] + masks[:, None].astype(np.float32)
    return groups, kinds.reshape(-1).astype(np.int32), _padded(offsets)


def _padded(offsets: Array) -> Array:
    """Let the columns beyond the last token count for nothing."""
    count = offsets.shape[-1]
    wide = zeros((*offsets.shape[:-1], round_up(count, LANES)), np.float32)
    wide[...] = PADDING
    wide[..., :count] = offsets
    return wide


def _norm(norm: LayerNorm) -> Norm:
    return Norm(norm.weight.data, norm.bias.data)


def _dense(layer: Any) -> Dense:
    """Pad the bias to whole panels."""
    assert isinstance(layer, PackedLinear) and isinstance(layer.packed, Panels)
    bias: Array = np.zeros(len(layer.packed.scale), np.float32)
    if layer.offset is not None:
        bias[: len(layer.offset)] = layer.offset
    return Dense(layer.packed, bias)
