"""Ternarization of a weight tensor: t in {-1, 0, 1} and a scale, fitted per output channel.

For one row w of n weights (TerViT; Ternary Weight Networks, Li et al. 2016, eq. 3-6):

    Delta = f * mean|w|                                    threshold, f = 0.7 ("twn")
    t_i   = sign(w_i) where |w_i| > Delta, else 0          strict: a value on the threshold is 0
    alpha = mean of |w_i| over {t_i != 0}                  scale "support" (default: least squares)
            mean of |w_i| over all i                     scale "mean"    (BitNet b1.58)

"absmean" is BitNet's threshold, f = 1/2. "exact" is the interval that minimises |w - alpha t|^2:
sort |w| downwards, let S_k be the sum of the k largest; the error is sum w^2 - S_k^2 / k, so take
the k with the largest S_k^2 / k, alpha = S_k / k, Delta = alpha / 2.

The factor 0.7 is between 2/3, the best one for uniform rows, and 0.77, that of Gaussian ones. Later
code of its authors has 0.75 (threshold=0.75), and a threshold for each output channel, as TerViT.

TerViT does not say which scale it uses. On Gaussian rows the squared error of "support" is 0.19
|w|^2, that of "mean" 0.28 |w|^2, hence our default. BitNet adds 1e-5 to its denominator; we do not,
because rows of weights below 1e-5 would vanish.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from data_tools.plain_numbers import is_finite_number
from tervit_np.arrays import Array
from tervit_np.quant.channels import as_rows, broadcast_scale, check_granularity, scale_shape

THRESHOLDS = {"twn": 0.7, "absmean": 0.5}
SCALES = ("support", "mean")


class TernaryTensor(NamedTuple):
    """Codes and scales of a ternarized tensor."""

    codes: Array  # int8 in {-1, 0, 1}, shaped like w
    scale: Array  # (out,), (out, groups) or ()
    threshold: Array  # like scale; rounded down, so that codes are 0 up to it in its own type

    def dequantize(self) -> Array:
        """Compute w_hat = alpha t.  -> shaped like the codes."""
        return self.codes.astype(self.scale.dtype) * broadcast_scale(self.scale, self.codes.shape)


def ternarize(
    w: Array,
    *,
    granularity: str = "channel",
    threshold: str | float = "twn",
    scale: str = "support",
) -> TernaryTensor:
    """Fit threshold and scale, return codes.  (out, ...) -> TernaryTensor.

    Sums are taken in float64. A row of zeros gets scale 0 and codes 0.

    Raises
    ------
    ValueError
        If an option is unknown, threshold "exact" is combined with scale "mean", `w` is empty, or a
        weight is not a finite real number.
    """
    check_options(granularity, threshold, scale)
    w = np.asarray(w)
    matrix = as_rows(w, granularity) * 1.0  # integers become real
    check_finite(matrix)
    codes, alpha, delta = ternarize_rows(matrix, threshold, scale)
    shape = scale_shape(w.shape, granularity)
    alpha = alpha.astype(matrix.dtype).reshape(shape)
    return TernaryTensor(
        codes.reshape(w.shape), alpha, round_down(delta, matrix.dtype).reshape(shape)
    )


def ternarize_rows(
    matrix: Array, threshold: str | float = "twn", scale: str = "support"
) -> tuple[Array, Array, Array]:
    """Fit each row, sums in float64.  (M, N) -> codes (M, N) int8, alpha (M,), delta (M,)."""
    # exercise ternarize: codes, alpha and delta of each row of the matrix
    magnitude, exponent = scaled_rows(np.abs(matrix.astype(np.float64)))
    if threshold == "exact":
        alpha, delta = exact_interval(magnitude)
        support = magnitude > delta[:, None]
    else:
        factor = THRESHOLDS[threshold] if isinstance(threshold, str) else float(threshold)
        mean = magnitude.mean(axis=1)
        delta = factor * mean
        support = magnitude > delta[:, None]
        total = np.where(support, magnitude, 0).sum(axis=1)
        alpha = mean if scale == "mean" else total / np.maximum(support.sum(axis=1), 1)
    codes = (np.sign(matrix) * support).astype(np.int8)
    return codes, np.ldexp(alpha, exponent), np.ldexp(delta, exponent)


def round_down(values: Array, dtype: DTypeLike) -> Array:
    """Return the largest numbers of a type that are not above float64 values.  (M,) -> (M,)."""
    with np.errstate(over="ignore"):
        near = values.astype(dtype)
    below: Array = np.where(near > values, np.nextafter(near, near.dtype.type(0)), near)
    return below


def check_finite(weights: Array) -> None:
    """Raise ValueError if a weight, or a scale computed from weights, is NaN or infinite."""
    if not np.isfinite(weights).all():
        raise ValueError("ternarize: a weight is NaN or infinite")


def check_options(granularity: str, threshold: str | float, scale: str) -> None:
    """Raise ValueError if an option is unknown or two contradict each other."""
    check_granularity(granularity)
    if scale not in SCALES:
        raise ValueError(f"scale is {scale!r}; expected one of {', '.join(SCALES)}")
    if isinstance(threshold, str) and threshold not in (*THRESHOLDS, "exact"):
        raise ValueError(f"threshold is {threshold!r}; expected twn, exact, absmean or a number")
    if not isinstance(threshold, str) and not (is_finite_number(threshold) and threshold >= 0):
        raise ValueError(f"threshold is {threshold!r}; a factor of mean|w| is finite and >= 0")
    if threshold == "exact" and scale != "support":
        raise ValueError('threshold "exact" minimises the error for scale "support" only')


def scaled_rows(magnitude: Array) -> tuple[Array, Array]:
    """Scale each row by a power of two, exactly, so that its maximum is in [1/2, 1).

    Without it S_k^2 over- or underflows for |w| beyond 1e154 or below 1e-154.
    """
    _, exponent = np.frexp(magnitude.max(axis=1, initial=0))
    return np.ldexp(magnitude, -exponent[:, None]), exponent


def exact_interval(magnitude: Array) -> tuple[Array, Array]:
    """Minimise |w - alpha t|^2 in each row.  |w| (M, N) -> alpha (M,), delta (M,)."""
    # exercise exact_interval: alpha and delta of each row of magnitudes
    descending = -np.sort(-magnitude, axis=1)
    sums = np.cumsum(descending, axis=1)
    k = np.arange(1, magnitude.shape[1] + 1)
    best = np.argmax(sums * sums / k, axis=1)
    alpha: Array = sums[np.arange(len(best)), best] / (best + 1)
    return alpha, alpha / 2
