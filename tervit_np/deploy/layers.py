"""Layers that have nothing but packed weights.

Each stands where a layer of nn/ stood and takes the same input; there is nothing to go back with,
so all caches are None.
"""

from typing import Any

import numpy as np

from tervit_np.arrays import Array, rows
from tervit_np.kernels import (
    Int8Weights,
    Panels,
    int8_linear,
    pack,
    pack_int8,
    ternary_linear,
)
from tervit_np.nn import Conv2d, Module, PatchProjection
from tervit_np.ops.conv import im2col
from tervit_np.ops.patches import patchify


class PackedLinear(Module):
    """y = x_hat w_hat^T + b with 8-bit tokens, ternary or 8-bit weights.  (..., I) -> (..., O)."""

    def __init__(self, packed: Panels | Int8Weights, bias: Array | None) -> None:
        self.packed = packed
        self.offset = None if bias is None else np.asarray(bias, np.float32)

    def forward(self, x: Array) -> tuple[Array, None]:
        """Round the tokens and multiply."""
        if isinstance(self.packed, Panels):
            y = ternary_linear(rows(x), self.packed, self.offset)
        else:
            y = int8_linear(rows(x), self.packed, self.offset)
        return y.reshape(*x.shape[:-1], self.packed.outputs), None


class PackedProjection(Module):
    """Patches, then a packed layer.  (B, C, H, W) -> (B, N, D)."""

    def __init__(self, linear: PackedLinear, patch: int) -> None:
        self.linear, self.patch = linear, patch

    def forward(self, images: Array) -> tuple[Array, None]:
        """Cut and project."""
        return self.linear.forward(patchify(images, self.patch))


class PackedConv(Module):
    """A convolution as a packed layer on im2col rows.  (B, H, W, C) -> (B, Ho, Wo, O)."""

    def __init__(self, linear: PackedLinear, kernel: int, stride: int, padding: int) -> None:
        self.linear = linear
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, x: Array) -> tuple[Array, None]:
        """Gather windows and multiply."""
        return self.linear.forward(im2col(x, self.kernel, self.stride, self.padding))


def packed_layer(layer: Any, codes: Array, scale: Array, ternary: bool) -> Module:
    """Return what stands for a linear layer, a projection of patches or a convolution.

    int8 codes shaped like its weight, float32 scale (out,) or ().
    """
    if isinstance(layer, Conv2d):  # im2col's rows run over (row, column, channel)
        codes = codes.transpose(0, 2, 3, 1)
    matrix = np.ascontiguousarray(codes).reshape(len(codes), -1)
    packed = pack(matrix, scale) if ternary else pack_int8(matrix, scale)
    linear = PackedLinear(packed, None if layer.bias is None else layer.bias.data)
    if isinstance(layer, Conv2d):
        return PackedConv(linear, layer.kernel, layer.stride, layer.padding)
    return PackedProjection(linear, layer.patch) if isinstance(layer, PatchProjection) else linear
