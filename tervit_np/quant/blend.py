"""A gradual quantizer: move from the latent weight to the quantized one during a stage.

    forward    w_q = (1 - q) w + q w_hat                       q from 0 to 1
    backward   (1 - q) dw_q + inner backward of q dw_q         also into scales that are learned

Used by `Stage(ramp=...)`; q follows sigmoid(16 t/T - 6) as in TeTRA (Grainge et al. 2025). There T
is a whole training, and weights and inputs fade in together; here it is the first part of a stage,
and inputs are quantized from its first step.
"""

from typing import Any, NamedTuple

from tervit_np.arrays import Array
from tervit_np.param import Param
from tervit_np.quant.protocol import Convention, QuantizedTensor, Quantizer


class BlendCache(NamedTuple):
    """What the backward pass needs."""

    amount: float  # q of that forward pass
    inner: Any  # the inner quantizer's cache


class Blend(Quantizer):
    """Mix a quantizer with the identity; `amount` is set before each step."""

    convention = Convention(
        boundary="as the inner quantizer",
        ties="as the inner quantizer",
        scale="as the inner quantizer; the amount is a constant",
        clip="where the inner quantizer has none, 1 - amount of the gradient is left",
    )
    no_packed_form = "they are part floats, part codes until the ramp of their stage has ended"

    def __init__(self, inner: Quantizer, amount: float = 0.0) -> None:
        self.inner, self.amount, self.bits = inner, amount, inner.bits

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, BlendCache]:
        """Mix w and its quantized value.  (...) -> (...)."""
        w_hat, inner = self.inner.forward(w, keep_residual)
        q = float(self.amount)  # a np.float64 would turn float32 weights into float64
        return (1 - q) * w + q * w_hat, BlendCache(q, inner)

    def backward(self, dw_hat: Array, cache: BlendCache) -> Array:
        """Undo `(1 - q) w + q w_hat`.  (...) -> (...)."""
        q = cache.amount
        return (1 - q) * dw_hat + self.inner.backward(q * dw_hat, cache.inner)

    def frozen(self, w: Array, cache: BlendCache) -> Array:
        """Map w with the inner residual held fixed."""
        return (1 - cache.amount) * w + cache.amount * self.inner.frozen(w, cache.inner)

    def encode(self, w: Array) -> QuantizedTensor:
        """Return the inner quantizer's codes, which the model has when the ramp ends."""
        return self.inner.encode(w)

    def prepare(self, w: Array) -> None:
        """Prepare the inner quantizer."""
        self.inner.prepare(w)

    def num_scales(self, shape: tuple[int, ...]) -> int:
        """Count the inner quantizer's scales."""
        return self.inner.num_scales(shape)

    def params(self) -> dict[str, Param]:
        """Return the inner quantizer's parameters."""
        return self.inner.params()

    def bias(self, w: Array, cache: BlendCache) -> Array | None:
        """Return the inner quantizer's bias, times the amount."""
        bias = self.inner.bias(w, cache.inner)
        return None if bias is None else cache.amount * bias

    def bias_backward(self, dbias: Array, cache: BlendCache) -> Array | None:
        """Undo `bias`."""
        return self.inner.bias_backward(cache.amount * dbias, cache.inner)

    def buffers(self) -> dict[str, Array]:
        """Return the inner quantizer's buffers."""
        return self.inner.buffers()

    def before_step(self, weight: Param) -> None:
        """Let the inner quantizer add to the gradient."""
        self.inner.before_step(weight)

    def after_step(self, weight: Param) -> None:
        """Let the inner quantizer take note."""
        self.inner.after_step(weight)

    def __repr__(self) -> str:
        return f"{self.amount:.2f} {self.inner!r}"
