"""From pixels to tokens by a small convolutional stem.

    conv     3x3/2 -> D/4, GELU, 3x3/2 -> D/2, GELU, then patches of P/4 x P/4 -> D
    conv3    3x3/2 -> 32, GELU, 3x3/1 -> 64, GELU, 3x3/2 -> D, for patches of 4 pixels

Both are ours. Xiao et al. 2021 found that early convolutions help transformers train, and Hassani
et al. 2021 that they matter most for small models and pictures. The second convolution of conv3
works on a map of half the size without making it smaller, and its windows overlap everywhere.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from tervit_np.arrays import Array
from tervit_np.nn.linear import Conv2d, ConvCache
from tervit_np.nn.module import Module
from tervit_np.nn.patch_embed import PatchProjection
from tervit_np.ops.gelu import gelu, gelu_backward


class ConvStemCache(NamedTuple):
    """What the backward pass needs."""

    conv1: ConvCache
    hidden1: Array  # (B, H1, W1, C1)  before the GELU
    conv2: ConvCache
    hidden2: Array  # (B, H2, W2, C2)
    proj: Any  # PatchProjectionCache or ConvCache


class ConvStem(Module):
    """Two convolutions of stride 2, then patches of P/4.  (B, 3, H, W) -> (B, N, D)."""

    proj: PatchProjection | Conv2d

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
        y, c3 = self._project(gelu(hidden2, self.gelu_form)[0])
        return y, ConvStemCache(c1, hidden1, c2, hidden2, c3)

    def backward(self, dy: Array, cache: ConvStemCache, input_grad: bool = True) -> Array | None:
        """Add into the gradients; return dimages, or None without `input_grad`."""
        dmaps = self._project_backward(dy, cache.proj)
        dhidden2 = gelu_backward(dmaps, cache.hidden2, self.gelu_form)
        dactive1 = _require(self.conv2.backward(dhidden2, cache.conv2))
        dhidden1 = gelu_backward(dactive1, cache.hidden1, self.gelu_form)
        dx = self.conv1.backward(dhidden1, cache.conv1, input_grad)
        return None if dx is None else dx.transpose(0, 3, 1, 2)

    def _project(self, maps: Array) -> tuple[Array, Any]:  # (B, H, W, C) -> (B, N, D)
        return self.proj.forward(maps.transpose(0, 3, 1, 2))

    def _project_backward(self, dy: Array, cache: Any) -> Array:  # (B, N, D) -> (B, H, W, C)
        dmaps = _require(self.proj.backward(dy, cache))
        return np.ascontiguousarray(dmaps.transpose(0, 2, 3, 1))


class Conv3Stem(ConvStem):
    """Three convolutions of strides 2, 1, 2.  (B, 3, H, W) -> (B, H W / 16, D)."""

    WIDTHS = (32, 64)

    def __init__(self, dim: int, gelu_form: str = "erf", dtype: DTypeLike = np.float32) -> None:
        first, second = self.WIDTHS
        self.conv1 = Conv2d(3, first, 3, 2, 1, dtype)
        self.conv2 = Conv2d(first, second, 3, 1, 1, dtype)
        self.proj = Conv2d(second, dim, 3, 2, 1, dtype)
        self.gelu_form = gelu_form

    @classmethod
    def parameters(cls, dim: int) -> int:
        """Return the number of parameters."""
        first, second = cls.WIDTHS
        return first * (27 + 1) + second * (9 * first + 1) + dim * (9 * second + 1)

    def _project(self, maps: Array) -> tuple[Array, Any]:
        y, cache = self.proj.forward(maps)
        batch, height, width, dim = y.shape
        return y.reshape(batch, height * width, dim), (y.shape, cache)

    def _project_backward(self, dy: Array, cache: Any) -> Array:
        shape, convolution = cache
        return _require(self.proj.backward(dy.reshape(shape), convolution))


def _require(gradient: Array | None) -> Array:
    assert gradient is not None  # input_grad is True
    return gradient
