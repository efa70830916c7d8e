"""Layers that hold packed weights only, for inference.

Each replaces a layer of nn/ and takes the same input. There is no backward pass, so every cache is
None.
"""

from typing import Any

import numpy as np

from tervit_np.arrays import Array, rows
from tervit_np.kernels import (
    GroupedWeights,
    Int8Weights,
    Panels,
    grouped_linear,
    int8_linear,
    pack,
    pack_groups,
    pack_int8,
    ternary_linear,
)
from tervit_np.nn import Conv2d, Module, PatchProjection
from tervit_np.ops.conv import im2col
from tervit_np.ops.patches import patchify
from tervit_np.quant import QuantizedTensor, fixed_scale


class PackedLinear(Module):
    """y = x_hat w_hat^T + b with 8-bit tokens, ternary or 8-bit weights.  (..., I) -> (..., O)."""

    def __init__(self, packed: Panels | Int8Weights | GroupedWeights, bias: Array | None) -> None:
        self.packed = packed
        self.bias = None if bias is None else np.asarray(bias, np.float32)

    def forward(self, x: Array) -> tuple[Array, None]:
        """Quantize the tokens and multiply."""
        if isinstance(self.packed, Panels):
            y = ternary_linear(rows(x), self.packed, self.bias)
        elif isinstance(self.packed, GroupedWeights):
            y = grouped_linear(rows(x), self.packed, self.bias)
        else:
            y = int8_linear(rows(x), self.packed, self.bias)
        return y.reshape(*x.shape[:-1], self.packed.outputs), None


class PackedProjection(Module):
    """Cut images into patches and apply a packed layer.  (B, C, H, W) -> (B, N, D)."""

    def __init__(self, linear: PackedLinear, patch: int) -> None:
        self.linear, self.patch = linear, patch

    def forward(self, images: Array) -> tuple[Array, None]:
        """Cut and project."""
        return self.linear.forward(patchify(images, self.patch))


class PackedConv(Module):
    """Convolve: a packed layer on im2col rows.  (B, H, W, C) -> (B, Ho, Wo, O)."""

    def __init__(self, linear: PackedLinear, kernel: int, stride: int, padding: int) -> None:
        self.linear = linear
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, x: Array) -> tuple[Array, None]:
        """Gather the inputs of each output and multiply."""
        columns = im2col(x, self.kernel, self.stride, self.padding)
        if isinstance(self.linear.packed, GroupedWeights):  # cut from the weight's own order
            by_pixel = columns.reshape(*columns.shape[:-1], self.kernel**2, x.shape[-1])
            columns = by_pixel.swapaxes(-1, -2).reshape(columns.shape)
        return self.linear.forward(columns)


def packed_layer(layer: Any, codes: QuantizedTensor) -> Module:
    """Return the packed form of a Linear, PatchProjection or Conv2d, with its bias.

    `codes` are those of its weight: ternary if the layer's quantizers are, otherwise 8-bit.
    """
    weights, is_conv = codes.codes, isinstance(layer, Conv2d)
    is_grouped, is_ternary = codes.scale.ndim == 2, layer.weight_quant.is_ternary
    if is_conv and not is_grouped:  # (O, C, k, k) in the order of im2col's columns
        weights = weights.transpose(0, 2, 3, 1)
    matrix = np.ascontiguousarray(weights).reshape(len(weights), -1)
    scales = codes.scale, fixed_scale(layer.act_quant)
    packed: Panels | Int8Weights | GroupedWeights
    if is_grouped:
        packed = pack_groups(matrix, *scales, is_ternary=is_ternary)
    else:
        packed = pack(matrix, *scales) if is_ternary else pack_int8(matrix, *scales)
    linear = PackedLinear(packed, None if layer.bias is None else layer.bias.data)
    if is_conv:
        return PackedConv(linear, layer.kernel, layer.stride, layer.padding)
    return PackedProjection(linear, layer.patch) if isinstance(layer, PatchProjection) else linear
