"""The ternary weight quantizer of TerViT, straight-through.

forward    w_hat = alpha t           (ternarize.py; alpha and Delta count as constants)
backward   dw = dw_hat               where |w| < clip, 0 elsewhere; no clip by default
frozen     clip(w) + (w_hat0 - clip(w0))
"""

from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.dispatch import compiled
from tervit_np.quant.channels import as_rows
from tervit_np.quant.identity import ZERO
from tervit_np.quant.protocol import Convention, QuantizedTensor, Quantizer, require_residual
from tervit_np.quant.ternarize import (
    THRESHOLDS,
    TernaryTensor,
    check_finite,
    check_options,
    ternarize,
)


class TernaryCache(NamedTuple):
    """What the backward pass needs."""

    ste_mask: Array | None  # bool, |w| < clip; None without a clip
    residual: Array | None  # w_hat - clip(w), None unless asked for


class Ternary(Quantizer):
    """Weights in {-alpha, 0, alpha}, one alpha per output channel or one per tensor.

    Arguments are those of `tv.quant.ternarize`; `clip` bounds the latent weights (TernaryBERT
    uses 2.5) and zeroes the gradient of those at or beyond it.
    """

    bits = 2
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
        if clip is not None and not clip > 0:
            raise ValueError(f"clip is {clip}; expected a positive number or None")
        self.granularity, self.threshold = granularity, threshold
        self.scale, self.clip = scale, clip

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, TernaryCache]:
        """Ternarize.  (out, ...) -> w_hat (out, ...).

        Raises
        ------
        ValueError
            If a weight is NaN or infinite, even if the clip would make it finite.
        """
        ste_mask = None if self.clip is None else np.abs(w) < self.clip
        clipped = self._clipped(w)
        w_hat = self._compiled_forward(clipped)
        if w_hat is None:
            w_hat = self._fit(clipped).dequantize()
        return w_hat, TernaryCache(ste_mask, w_hat - clipped if keep_residual else None)

    def backward(self, dw_hat: Array, cache: TernaryCache) -> Array:
        """Undo `w_hat = clip(w) + constant`.  (out, ...) -> dw (out, ...)."""
        return dw_hat if cache.ste_mask is None else dw_hat * cache.ste_mask

    def frozen(self, w: Array, cache: TernaryCache) -> Array:
        """Map w with the residual of w0 held fixed.  (out, ...) -> (out, ...)."""
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

    def _compiled_forward(self, w: Array) -> Array | None:
        """Run the compiled twin; None if there is none, as for threshold "exact"."""
        compiled_ops = compiled(w)
        if compiled_ops is None or self.threshold == "exact":
            return None
        factor = THRESHOLDS[self.threshold] if isinstance(self.threshold, str) else self.threshold
        matrix = as_rows(w, self.granularity)
        w_hat, scale, _ = compiled_ops.ternarize_rows(matrix, float(factor), self.scale == "mean")
        check_finite(scale)
        result: Array = w_hat.reshape(w.shape)
        return result

    def __repr__(self) -> str:
        rule = self.threshold if isinstance(self.threshold, str) else f"{self.threshold:g} mean|w|"
        clip = "" if self.clip is None else f", clip {self.clip:g}"
        return f"ternary ({self.granularity}, {rule}, {self.scale}{clip})"
