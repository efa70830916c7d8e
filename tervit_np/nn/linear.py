"""Linear layers, plain and on windows of an image, with quantizers as arguments.

A float, an 8-bit and a ternary layer differ only in two quantizers, one for the latent weight and
one for the input. With Identity for both the layer is the float layer, bit for bit.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from tervit_np.arrays import Array
from tervit_np.nn.quantized_layer import (
    QuantizedLayer,
    add_bias,
    quantized,
    quantized_backward,
    weight_gradient,
)
from tervit_np.ops import col2im, im2col
from tervit_np.ops.linear import LinearCache, linear
from tervit_np.ops.mixed_precision import linear_backward_mixed
from tervit_np.param import Param
from tervit_np.quant import IDENTITY, Quantizer


class QuantLinearCache(NamedTuple):
    """What the backward pass needs."""

    linear: LinearCache
    weight: Any  # the weight quantizer's cache
    act: Any  # the activation quantizer's cache


class Linear(QuantizedLayer):
    """y = x_hat w_hat^T + b.  (..., in) -> (..., out)."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        dtype: DTypeLike = np.float32,
        weight_quant: Quantizer = IDENTITY,
        act_quant: Quantizer = IDENTITY,
        *,
        bias: bool = True,
    ) -> None:
        self.weight = Param(np.zeros((out_features, in_features), dtype))
        self.bias = Param(np.zeros(out_features, dtype)) if bias else None
        self.weight_quant, self.act_quant = weight_quant, act_quant

    def forward(self, x: Array) -> tuple[Array, QuantLinearCache]:
        """Quantize input and weight, then multiply."""
        x_hat, act = quantized(self.act_quant, x)
        weight = self.quantized_weight()
        bias = add_bias(self.bias, weight.bias)
        y, product = linear(x_hat, weight.w_hat, bias, weight.packed)
        return y, QuantLinearCache(product, weight.cache, act)

    def backward(self, dy: Array, cache: QuantLinearCache) -> Array:
        """Add into the gradients of weight and bias, return dx."""
        dx_hat, dw_hat, db = linear_backward_mixed(dy, cache.linear, self.precision)
        self.weight.grad += weight_gradient(self, dw_hat, db, cache.weight)
        if self.bias is not None:
            self.bias.grad += db
        return quantized_backward(self.act_quant, dx_hat, cache.act)


class ConvCache(NamedTuple):
    """What the backward pass needs."""

    shape: tuple[int, ...]  # of x
    linear: LinearCache
    weight: Any
    act: Any


class Conv2d(QuantizedLayer):
    """A k x k convolution: a linear layer on im2col rows.  (B, H, W, C) -> (B, Ho, Wo, O).

    The weight keeps PyTorch's shape (O, C, k, k). A "token" of the activation quantizer is one
    im2col row: all inputs of one output pixel.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        padding: int,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.weight = Param(np.zeros((out_channels, in_channels, kernel, kernel), dtype))
        self.bias = Param(np.zeros(out_channels, dtype))
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, x: Array) -> tuple[Array, ConvCache]:
        """Gather windows, quantize, multiply."""
        columns = im2col(x, self.kernel, self.stride, self.padding)
        columns_hat, act = quantized(self.act_quant, columns)
        w_hat, weight_cache, _, extra = self.quantized_weight()
        matrix = w_hat.transpose(0, 2, 3, 1).reshape(len(w_hat), -1)  # (O, k k C), as im2col's rows
        y, product = linear(columns_hat, matrix, add_bias(self.bias, extra))
        return y, ConvCache(x.shape, product, weight_cache, act)

    def backward(self, dy: Array, cache: ConvCache, input_grad: bool = True) -> Array | None:
        """Add into the gradients; return dx, or None without `input_grad`."""
        needs_dx = input_grad or self.act_quant.params()
        product = cache.linear if needs_dx else cache.linear.without_dx()
        dcolumns, dmatrix, db = linear_backward_mixed(dy, product, self.precision)
        out, channels, kernel, _ = self.weight.shape
        dw_hat = dmatrix.reshape(out, kernel, kernel, channels).transpose(0, 3, 1, 2)
        self.weight.grad += weight_gradient(self, dw_hat, db, cache.weight)
        self.bias.grad += db
        if needs_dx:
            dcolumns = quantized_backward(self.act_quant, dcolumns, cache.act)
        if not input_grad:
            return None
        return col2im(dcolumns, cache.shape, self.kernel, self.stride, self.padding)
