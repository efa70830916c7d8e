"""Ternarize the rows of a weight without temporary arrays.

Twin of quant/ternarize.py for thresholds that are multiples of mean|w|; sums in float64, as there.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.arithmetic import address_of
from tervit_np.compiled.exponential import F
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.row_sums import row_sum


@kernel()
def ternarize_rows(w: Array, factor: float, mean_scale: bool) -> tuple[Array, Array, Array]:
    """(M, N) -> w_hat (M, N), scale (M,), threshold (M,).  NaN or infinity in w: scale NaN.

    Thresholds are rounded down, so that float32 values are on the side where they are in float64.
    """
    rows, width = w.shape
    w_hat, magnitude = np.empty_like(w), np.empty(width, np.float64)
    scales, thresholds = np.empty(rows, np.float32), np.empty(rows, np.float32)
    for m in range(rows):
        for i in range(width):
            magnitude[i] = abs(w[m, i])
        total = row_sum(address_of(magnitude), width, np.float64)
        mean = total / width
        delta = factor * mean
        cut = _round_down(delta)
        count = np.int32(0)
        for i in range(width):
            nonzero = abs(w[m, i]) > cut
            magnitude[i] = magnitude[i] if nonzero else 0.0
            count += np.int32(nonzero)
        support = row_sum(address_of(magnitude), width, np.float64)
        scale = F(mean if mean_scale else support / max(float(count), 1.0))
        scales[m] = scale if total < np.inf else F(np.nan)
        thresholds[m] = cut
        for i in range(width):
            plus_or_zero = scale if w[m, i] > cut else F(0)
            w_hat[m, i] = -scale if w[m, i] < -cut else plus_or_zero
    return w_hat, scales, thresholds


@kernel()
def _round_down(value: float) -> np.float32:
    """Return the largest float32 not above a float64; float32 values compare the same with both."""
    near = F(value)
    return np.nextafter(near, F(0)) if np.float64(near) > value else near
