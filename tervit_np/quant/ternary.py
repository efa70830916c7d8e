"""The ternary weight quantizer of TerViT, straight-through.

forward    w_hat = alpha t           (ternarize.py; alpha and Delta count as constants)
backward   dw = dw_hat               where |w| < clip, 0 elsewhere; no clip by default
frozen     clip(w) + (w_hat0 - clip(w0))
"""

from typing import NamedTuple

import numpy as np

from data_tools.plain_numbers import is_finite_number, plain
from tervit_np.arrays import Array
from tervit_np.dispatch import compiled
from tervit_np.quant.channels import as_rows
from tervit_np.quant.identity import ZERO
from tervit_np.quant.protocol import Convention, QuantizedTensor, require_residual
from tervit_np.quant.ternarize import (
    THRESHOLDS,
    TernaryTensor,
    check_finite,
    check_options,
    ternarize,
)
from tervit_np.quant.weight_quantizer import WeightQuantizer


class TernaryCache(NamedTuple):
    """What the backward pass needs."""

    ste_mask: Array | None  # bool, |w| < clip; None without a clip
    residual: Array | None  # w_hat - clip(w), None unless asked for


class Ternary(WeightQuantizer):
    """Weights in {-alpha, 0, alpha}, one alpha per output channel, tensor or group of inputs.

    Arguments are those of `tv.quant.ternarize`; `clip` bounds the latent weights (TernaryBERT
    uses 2.5) and zeroes the gradient of those at or beyond it.

    Raises
    ------
    ValueError
        If an option is unknown, two contradict each other, or `clip` is not positive and finite.
    """

    bits = 2
    is_ternary = True
    convention = Convention(
        boundary="|w| = Delta gives 0 (strict); |w| = clip has no gradient",
        ties="none: thresholds, not rounding",
        scale="alpha, Delta from w in each forward; constants in the backward",
        clip="|w| >= clip, if one is given",
    )

    def __init__(
        self,
        granularity: str = "channel",
        threshold: str | float = "twn",
        scale: str = "support",
        clip: float | None = None,
    ) -> None:
        check_options(granularity, threshold, scale)
        if clip is not None and not (is_finite_number(clip) and clip > 0):
            raise ValueError(f"clip is {clip!r}; expected a positive, finite number or None")
        super().__init__(granularity)
        # A clip of type int64 would turn float32 weights into float64.
        self.threshold, self.scale, self.clip = threshold, scale, plain(clip)

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, TernaryCache]:
        """Ternarize.  (out, ...) -> w_hat (out, ...).

        Raises
        ------
        ValueError
            If a weight is NaN or infinite, even if the clip would make it finite.
        """
        # exercise ste_with_clip: w_hat and the cache
        ste_mask = None if self.clip is None else np.abs(w) < self.clip
        clipped = self._clipped(w)
        w_hat = self._alpha_t(clipped)
        return w_hat, TernaryCache(ste_mask, w_hat - clipped if keep_residual else None)

    def backward(self, dw_hat: Array, cache: TernaryCache) -> Array:
        """Undo `w_hat = clip(w) + constant`.  (out, ...) -> dw (out, ...)."""
        # exercise ste_with_clip: dw
        return dw_hat if cache.ste_mask is None else dw_hat * cache.ste_mask

    def frozen(self, w: Array, cache: TernaryCache) -> Array:
        """Map w with the residual of w0 held fixed.  (out, ...) -> (out, ...)."""
        # exercise ste_with_clip: w_hat, from w and the residual in the cache
        return self._clipped(w) + require_residual(cache.residual)

    def encode(self, w: Array) -> QuantizedTensor:
        """Return codes in {-1, 0, 1}, scales and the zero point 0."""
        fitted = self._fit(self._clipped(w))
        return QuantizedTensor(fitted.codes, fitted.scale, ZERO)

    def _fit(self, w: Array) -> TernaryTensor:
        return ternarize(
            w, granularity=self.granularity, threshold=self.threshold, scale=self.scale
        )

    def _clipped(self, w: Array) -> Array:
        if self.clip is None:
            return w
        check_finite(w)
        return np.clip(w, -self.clip, self.clip)

    def _alpha_t(self, w: Array) -> Array:
        """Compute alpha t.  (out, ...) -> (out, ...)."""
        if (compiled_ops := compiled(w)) is not None and self.threshold != "exact":
            rule = self.threshold
            factor = float(THRESHOLDS[rule] if isinstance(rule, str) else rule)
            matrix = as_rows(w, self.granularity)
            w_hat, scale, _ = compiled_ops.ternarize_rows(matrix, factor, self.scale == "mean")
            check_finite(scale)
            result: Array = w_hat.reshape(w.shape)
            return result
        return self._fit(w).dequantize()

    def levels(self, w_hat: Array) -> Array:
        """Return alpha of each row of a result, 0 of a row of zeros.  (out, ...) -> (M, 1)."""
        levels: Array = np.abs(as_rows(w_hat, self.granularity)).max(axis=1, keepdims=True)
        return levels

    def __repr__(self) -> str:
        rule = self.threshold if isinstance(self.threshold, str) else f"{self.threshold:g} mean|w|"
        clip = "" if self.clip is None else f", clip {self.clip:g}"
        return f"ternary ({self.granularity}, {rule}, {self.scale}{clip})"
