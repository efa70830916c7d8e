"""Ternary weights with a Gaussian scale and a trust mask, after QuEST (Panferov et al. 2025).

For one row w of n weights with root mean square r = sqrt(mean w^2):

    a    = 1.2240 r                              level
    t_i  = sign(w_i) where |w_i| > a / 2, else 0
    w_hat = a t

    backward   dw = dw_hat where |w_hat - w| <= a / 2, 0 elsewhere       (trust mask)
    frozen     w + (w_hat0 - w0) where the mask of w0 is 1, w_hat0 elsewhere

1.2240 minimises the expected (w_hat - w)^2 of Gaussian weights: a then is the mean magnitude of
those beyond the threshold 0.612 r. So no threshold is searched and no magnitude sorted.

Inside |w| <= a the error is at most a / 2. Beyond it grows, and with it the doubt whether the
gradient at w_hat is of use at w; the mask trusts it up to the same a / 2, that is, |w| <= 1.5 a.

The paper first multiplies each row by a Hadamard matrix, block by block. That makes its values
nearly Gaussian, and a masked value is a sum of 128 latent weights. hadamard.py does so; here a
latent weight beyond 1.5 a gets no gradient until the level has grown.
"""

from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.quant.channels import broadcast_scale, scale_shape
from tervit_np.quant.identity import ZERO
from tervit_np.quant.protocol import Convention, QuantizedTensor, require_residual
from tervit_np.quant.weight_quantizer import WeightQuantizer, check_scale, finite_rows, row_sums

LEVEL = 1.2240089519030855  # level / root mean square with the least error on Gaussian weights


class QuestCache(NamedTuple):
    """What the backward pass needs."""

    trusted: Array  # bool, |w_hat - w| <= a / 2
    residual: Array | None  # w_hat - w, w_hat where w is not trusted; None unless asked for


class Quest(WeightQuantizer):
    """Weights in {-a, 0, a}, a from the root mean square, gradients of outliers masked."""

    bits = 2
    is_ternary = True
    convention = Convention(
        boundary="|w| = a / 2 gives 0 (strict); |w| = 1.5 a has a gradient",
        ties="none: thresholds, not rounding",
        scale="1.2240 root mean square in each forward; constant in the backward",
        clip="|w_hat - w| > a / 2, which is |w| > 1.5 a",
    )

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, QuestCache]:
        """Ternarize.  (out, ...) -> w_hat (out, ...); ValueError if a weight is not finite."""
        codes, level, _ = self.encode(w)
        level = broadcast_scale(level, w.shape)
        w_hat = codes * level
        # exercise trust_mask: trusted, from w, w_hat and level, which all fit each other
        trusted = np.abs(w_hat - w) <= level / 2
        # end of exercise
        return w_hat, QuestCache(trusted, w_hat - w * trusted if keep_residual else None)

    def backward(self, dw_hat: Array, cache: QuestCache) -> Array:
        """Undo `w_hat = w + constant` where it is trusted.  (out, ...) -> dw (out, ...)."""
        # exercise trust_mask: dw, from dw_hat and cache.trusted
        return dw_hat * cache.trusted

    def frozen(self, w: Array, cache: QuestCache) -> Array:
        """Map w with the residual and the mask of w0 held fixed."""
        return w * cache.trusted + require_residual(cache.residual)

    def encode(self, w: Array) -> QuantizedTensor:
        """Return codes in {-1, 0, 1} and levels."""
        matrix = finite_rows(w, self.granularity)
        level = LEVEL * root_mean_square(matrix)
        with np.errstate(over="ignore"):
            level = check_scale(level.astype(w.dtype))
        # exercise trust_mask: codes (M, N), which are -1, 0 and 1, from matrix and level (M,)
        codes = np.sign(matrix) * (np.abs(matrix) > level[:, None] / 2)
        # end of exercise
        level = level.reshape(scale_shape(w.shape, self.granularity))
        return QuantizedTensor(codes.astype(np.int8).reshape(w.shape), level, ZERO)

    def __repr__(self) -> str:
        return f"ternary QuEST ({self.granularity})"


def root_mean_square(matrix: Array) -> Array:
    """Compute sqrt(mean w^2) of each row in float64.  (M, N) -> (M,).

    Each row is divided by its largest magnitude, so that no square over- or underflows.
    """
    # exercise trust_mask: the root mean square of each row (M,), computed in float64
    magnitude = np.abs(matrix.astype(np.float64))
    largest = magnitude.max(axis=1, keepdims=True)
    scaled = magnitude / np.where(largest == 0, 1, largest)
    rms: Array = (largest * np.sqrt(row_sums(np.square(scaled)) / matrix.shape[1]))[:, 0]
    return rms
