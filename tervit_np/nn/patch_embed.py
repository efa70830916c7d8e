"""From pixels to tokens: a linear layer on patches of P x P pixels, as in the official DeiT."""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from tervit_np.arrays import Array
from tervit_np.nn.linear import QuantLinearCache
from tervit_np.nn.module import Module
from tervit_np.nn.quantized_layer import (
    QuantizedLayer,
    add_bias,
    quantized,
    quantized_backward,
    weight_gradient,
)
from tervit_np.ops.linear import linear
from tervit_np.ops.mixed_precision import linear_backward_mixed
from tervit_np.ops.patches import patchify, unpatchify
from tervit_np.param import Param


class PatchProjectionCache(NamedTuple):
    """What the backward pass needs."""

    shape: tuple[int, ...]  # of the images
    projection: QuantLinearCache


class PatchProjection(QuantizedLayer):
    """A convolution with stride = kernel, as a linear layer.  (B, C, H, W) -> (B, N, D)."""

    def __init__(self, channels: int, patch: int, dim: int, dtype: DTypeLike = np.float32) -> None:
        self.weight = Param(np.zeros((dim, channels, patch, patch), dtype))
        self.bias = Param(np.zeros(dim, dtype))
        self.patch = patch

    def forward(self, images: Array) -> tuple[Array, PatchProjectionCache]:
        """Cut and project."""
        vectors_hat, act = quantized(self.act_quant, patchify(images, self.patch))
        w_hat, weight_cache, _, extra = self.quantized_weight()
        matrix = w_hat.reshape(len(w_hat), -1)  # (D, C P P), as patchify's vectors
        y, product = linear(vectors_hat, matrix, add_bias(self.bias, extra))
        return y, PatchProjectionCache(images.shape, QuantLinearCache(product, weight_cache, act))

    def backward(
        self, dy: Array, cache: PatchProjectionCache, input_grad: bool = True
    ) -> Array | None:
        """Add into the gradients; return dimages, or None without `input_grad`."""
        product, weight, act = cache.projection
        needs_dx = input_grad or self.act_quant.params()
        product = product if needs_dx else product.without_dx()
        dvectors, dmatrix, db = linear_backward_mixed(dy, product, self.precision)
        dw_hat = dmatrix.reshape(self.weight.shape)
        self.weight.grad += weight_gradient(self, dw_hat, db, weight)
        self.bias.grad += db
        if needs_dx:
            dvectors = quantized_backward(self.act_quant, dvectors, act)
        return unpatchify(dvectors, cache.shape) if input_grad else None


class PatchEmbed(Module):
    """The official embedding.  (B, 3, H, W) -> (B, N, D)."""

    def __init__(self, patch: int, dim: int, dtype: DTypeLike = np.float32) -> None:
        self.proj = PatchProjection(3, patch, dim, dtype)

    def forward(self, images: Array) -> tuple[Array, PatchProjectionCache]:
        """Embed patches."""
        return self.proj.forward(images)

    def backward(
        self, dy: Array, cache: PatchProjectionCache, input_grad: bool = True
    ) -> Array | None:
        """Add into the gradients; return dimages, or None without `input_grad`."""
        return self.proj.backward(dy, cache, input_grad)
