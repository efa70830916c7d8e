"""The straight-through passes of rules that clip nothing: the rounding error is a constant.

    forward    w_hat = w + (w_hat - w)
    backward   dw = dw_hat
    frozen     w + (w_hat0 - w0)

Such a rule is its `encode`: which codes, and which scale.
"""

from typing import NamedTuple

from tervit_np.arrays import Array
from tervit_np.quant.protocol import Quantizer, require_residual


class StraightThroughCache(NamedTuple):
    """What `frozen` needs; the backward pass needs no cache."""

    residual: Array | None  # w_hat - w, None unless asked for


class StraightThrough(Quantizer):
    """A rule, for weights or activations, that passes every gradient on unchanged."""

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, StraightThroughCache]:
        """Quantize and dequantize.  (...) -> w_hat (...); ValueError if a value is not finite."""
        w_hat = self.fake_quantize(w)
        return w_hat, StraightThroughCache(w_hat - w if keep_residual else None)

    def fake_quantize(self, w: Array) -> Array:
        """Dequantize what `encode` returns; a rule may compute the same without codes.

        (...) -> w_hat (...)
        """
        return self.encode(w).dequantize()

    def backward(self, dw_hat: Array, cache: StraightThroughCache) -> Array:
        """Undo `w_hat = w + constant`.  (...) -> dw (...)."""
        return dw_hat

    def frozen(self, w: Array, cache: StraightThroughCache) -> Array:
        """Map w with the residual of w0 held fixed.  (...) -> (...)."""
        return w + require_residual(cache.residual)
