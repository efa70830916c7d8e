"""From pixels to tokens: one linear layer on patches, or a small convolutional stem before it.

linear   P x P patches -> D                                         (official DeiT)
conv     3x3/2 -> D/4, GELU, 3x3/2 -> D/2, GELU, then P/4 x P/4 patches -> D   (ours: Xiao et al.
         2021 found that early convolutions help transformers train; at CIFAR size they add
         several points for little time)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from tervit_np.arrays import Array
from tervit_np.nn.linear import Conv2d, ConvCache, QuantLinearCache
from tervit_np.nn.module import Module
from tervit_np.ops.gelu import gelu, gelu_backward
from tervit_np.ops.linear import LinearCache, linear, linear_backward
from tervit_np.ops.patches import patchify, unpatchify
from tervit_np.param import Param
from tervit_np.quant import IDENTITY, Quantizer


class PatchProjectionCache(NamedTuple):
    """What the backward pass needs."""

    shape: tuple[int, ...]  # of the images
    projection: QuantLinearCache


class PatchProjection(Module):
    """A convolution with stride = kernel, as a linear layer.  (B, C, H, W) -> (B, N, D)."""

    def __init__(self, channels: int, patch: int, dim: int, dtype: DTypeLike = np.float32) -> None:
        self.weight = Param(np.zeros((dim, channels, patch, patch), dtype))
        self.bias = Param(np.zeros(dim, dtype))
        self.patch = patch
        self.weight_quant: Quantizer = IDENTITY
        self.act_quant: Quantizer = IDENTITY

    def forward(self, images: Array) -> tuple[Array, PatchProjectionCache]:
        """Cut and project."""
        vectors_hat, act = self.act_quant.forward(patchify(images, self.patch))
        w_hat, weight = self.weight_quant.forward(self.weight.data)
        product: LinearCache
        y, product = linear(vectors_hat, w_hat.reshape(len(w_hat), -1), self.bias.data)
        return y, PatchProjectionCache(images.shape, QuantLinearCache(product, weight, act))

    def backward(
        self, dy: Array, cache: PatchProjectionCache, input_grad: bool = True
    ) -> Array | None:
        """Add into the gradients; return dimages, or None without `input_grad`."""
        product, weight, act = cache.projection
        dvectors, dmatrix, db = linear_backward(dy, product)
        dw_hat = dmatrix.reshape(self.weight.shape)
        self.weight.grad += self.weight_quant.backward(dw_hat, weight)
        self.bias.grad += db
        if not input_grad:
            return None
        return unpatchify(self.act_quant.backward(dvectors, act), cache.shape)


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


class ConvStemCache(NamedTuple):
    """What the backward pass needs."""

    conv1: ConvCache
    hidden1: Array  # (B, H/2, W/2, D/4)  before the GELU
    conv2: ConvCache
    hidden2: Array  # (B, H/4, W/4, D/2)
    proj: PatchProjectionCache


class ConvStem(Module):
    """Two convolutions of stride 2, then patches of P/4.  (B, 3, H, W) -> (B, N, D)."""

    def __init__(
        self, patch: int, dim: int, gelu_form: str = "erf", dtype: DTypeLike = np.float32
    ) -> None:
        self.conv1 = Conv2d(3, dim // 4, 3, 2, 1, dtype)
        self.conv2 = Conv2d(dim // 4, dim // 2, 3, 2, 1, dtype)
        self.proj = PatchProjection(dim // 2, patch // 4, dim, dtype)
        self.gelu_form = gelu_form

    def forward(self, images: Array) -> tuple[Array, ConvStemCache]:
        """Embed patches."""
        hidden1, c1 = self.conv1.forward(images.transpose(0, 2, 3, 1))
        hidden2, c2 = self.conv2.forward(gelu(hidden1, self.gelu_form)[0])
        maps = gelu(hidden2, self.gelu_form)[0].transpose(0, 3, 1, 2)
        y, c3 = self.proj.forward(maps)
        return y, ConvStemCache(c1, hidden1, c2, hidden2, c3)

    def backward(self, dy: Array, cache: ConvStemCache, input_grad: bool = True) -> Array | None:
        """Add into the gradients; return dimages, or None without `input_grad`."""
        dmaps = _require(self.proj.backward(dy, cache.proj)).transpose(0, 2, 3, 1)
        dhidden2 = gelu_backward(np.ascontiguousarray(dmaps), cache.hidden2, self.gelu_form)
        dactive1 = _require(self.conv2.backward(dhidden2, cache.conv2))
        dhidden1 = gelu_backward(dactive1, cache.hidden1, self.gelu_form)
        dx = self.conv1.backward(dhidden1, cache.conv1, input_grad)
        return None if dx is None else dx.transpose(0, 3, 1, 2)


def _require(gradient: Array | None) -> Array:
    assert gradient is not None  # input_grad is True
    return gradient
