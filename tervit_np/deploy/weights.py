"""From blocks as modules to the plain arrays that the compiled block reads."""

from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.deploy.layers import PackedLinear
from tervit_np.kernels.block import BlockWeights, Dense, Norm
from tervit_np.nn import Block, LayerNorm, SwinBlock
from tervit_np.ops import relative_bias
from tervit_np.ops.windows import partition, shift

_NONE = np.zeros((1, 0, 0), np.float32)


def block_weights(block: Block | SwinBlock, shape: tuple[int, ...]) -> BlockWeights:
    """Collect the weights of a block for tokens (T,) or maps (H, W)."""
    attn: Any = block.attn
    bias, mask, groups = _NONE, _NONE, np.arange(shape[0], dtype=np.int32)[None]
    if isinstance(block, SwinBlock):
        bias = relative_bias(attn.relative_position_bias_table.data, attn.index)
        mask = _NONE if block.mask is None else block.mask.astype(np.float32)
        numbers = np.arange(shape[0] * shape[1], dtype=np.int32).reshape(1, *shape, 1)
        windows = partition(shift(numbers, block.by), block.window)
        groups = np.ascontiguousarray(windows[:, :, 0])
    return BlockWeights(
        _norm(block.norm1),
        _dense(attn.qkv),
        _dense(attn.proj),
        _norm(block.norm2),
        _dense(block.mlp.fc1),
        _dense(block.mlp.fc2),
        bias,
        mask,
        groups,
        attn.products.heads,
        block.norm1.eps,
        block.mlp.gelu_form == "erf",
    )


def _norm(norm: LayerNorm) -> Norm:
    return Norm(norm.weight.data, norm.bias.data)


def _dense(layer: Any) -> Dense:
    """Pad the bias to whole panels."""
    assert isinstance(layer, PackedLinear)
    bias: Array = np.zeros(len(layer.packed.scale), np.float32)
    if layer.offset is not None:
        bias[: len(layer.offset)] = layer.offset
    return Dense(layer.packed, bias)
