"""A layer with a weight and two quantizers, and its quantized weight, which a batch needs once."""

from typing import Any, NamedTuple

from tervit_np.arrays import Array
from tervit_np.dispatch import integer_engine
from tervit_np.nn.module import Module
from tervit_np.param import Param
from tervit_np.quant import IDENTITY, Quantizer, fixed_scale, is_integer_matmul


class QuantizedWeight(NamedTuple):
    """What the forward pass computes from the latent weight alone."""

    w_hat: Array  # shaped like the latent weight
    cache: Any  # the weight quantizer's
    packed: Any  # kernels.Panels if the integer engine multiplies, otherwise None
    bias: Array | None = None  # what the quantizer adds to the layer's (out,)


class QuantizedLayer(Module):
    """A layer with a weight.

    While `shared` is set, forward takes it instead of quantizing the latent weight again: parts of
    one batch see the same weight (train/parallel.py). `precision` is that of the products of the
    backward pass (ops/mixed_precision.py).
    """

    weight: Param
    weight_quant: Quantizer = IDENTITY
    act_quant: Quantizer = IDENTITY
    shared: QuantizedWeight | None = None
    precision: str = "float32"

    def quantized_weight(self) -> QuantizedWeight:
        """Quantize the latent weight, and pack it where integers are multiplied."""
        if self.shared is not None:
            return self.shared
        w_hat, cache = quantized(self.weight_quant, self.weight.data)
        packed = None
        if is_integer_matmul(self.weight_quant, self.act_quant) and w_hat.ndim == 2:
            engine = integer_engine(w_hat)
            if engine is not None and engine.fits_integers(w_hat.shape[1]):
                packed = engine.pack_floats(w_hat, fixed_scale(self.act_quant))
        return QuantizedWeight(
            w_hat, cache, packed, self.weight_quant.bias(self.weight.data, cache)
        )


def quantized(quantizer: Quantizer, x: Array) -> tuple[Array, Any]:
    """Quantize a weight or inputs.  (...) -> x_hat (...), cache.

    Raises
    ------
    ValueError
        If x_hat has another shape or dtype than x, as a rule of a user may make it: what follows
        would be broadcast, or run in float64.
    """
    x_hat, cache = quantizer.forward(x)
    if x_hat.shape != x.shape or x_hat.dtype != x.dtype:
        raise _other_array(f"{quantizer!r}: forward", x_hat, x)
    return x_hat, cache


def quantized_backward(quantizer: Quantizer, dx_hat: Array, cache: Any) -> Array:
    """Undo `quantized`.  (...) -> dx (...); ValueError if dx has another shape or dtype."""
    dx = quantizer.backward(dx_hat, cache)
    if dx.shape != dx_hat.shape or dx.dtype != dx_hat.dtype:
        raise _other_array(f"{quantizer!r}: backward", dx, dx_hat)
    return dx


def _other_array(what: str, result: Array, given: Array) -> ValueError:
    return ValueError(
        f"{what} returned {result.dtype} {result.shape} for {given.dtype} {given.shape}; "
        "expected the same, so cast scales to the dtype of the array"
    )


def add_bias(bias: Param | None, extra: Array | None) -> Array | None:
    """Return the bias of a layer with what its quantizer adds, None if it has none.  -> (out,)."""
    if bias is None:
        return None
    return bias.data if extra is None else bias.data + extra


def effective_bias(layer: Any) -> Array | None:
    """Return the bias that a layer adds in its forward pass, None if it has none.  -> (out,)."""
    _, cache = layer.weight_quant.forward(layer.weight.data)
    return add_bias(layer.bias, layer.weight_quant.bias(layer.weight.data, cache))


def weight_gradient(layer: Any, dw_hat: Array, db: Array, cache: Any) -> Array:
    """Pass gradients through the quantizer of a layer's weight.  (out, ...), (out,) -> dw."""
    dw = quantized_backward(layer.weight_quant, dw_hat, cache)
    extra = None if layer.bias is None else layer.weight_quant.bias_backward(db, cache)
    return dw if extra is None else dw + extra
