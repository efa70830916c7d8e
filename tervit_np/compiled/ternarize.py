"""Ternarize the rows of a weight without temporary arrays.

Twin of quant/ternarize.py for thresholds that are multiples of mean|w|; sums in float64, as there.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.exponential import F
from tervit_np.compiled.jit import REORDER, kernel


@kernel(fastmath=REORDER)
def ternarize_rows(w: Array, factor: float, mean_scale: bool) -> tuple[Array, Array, Array]:
    """(M, N) -> w_hat (M, N), scale (M,), threshold (M,).  NaN or infinity in w: scale NaN."""
    rows, width = w.shape
    w_hat = np.empty_like(w)
    scales, thresholds = np.empty(rows, np.float32), np.empty(rows, np.float32)
    for m in range(rows):
        total = 0.0
        for i in range(width):
            total += np.float64(abs(w[m, i]))
        mean = total / width
        delta = factor * mean
        cut = _round_down(delta)
        support, count = 0.0, np.int32(0)
        for i in range(width):
            magnitude = abs(w[m, i])
            nonzero = magnitude > cut
            support += np.float64(magnitude if nonzero else F(0))
            count += np.int32(nonzero)
        scale = F(mean if mean_scale else support / max(float(count), 1.0))
        scales[m] = scale if total < np.inf else F(np.nan)  # isfinite would be reordered away
        thresholds[m] = F(delta)
        for i in range(width):
            plus_or_zero = scale if w[m, i] > cut else F(0)
            w_hat[m, i] = -scale if w[m, i] < -cut else plus_or_zero
    return w_hat, scales, thresholds


@kernel()
def _round_down(value: float) -> np.float32:
    """Return the largest float32 not above a float64; float32 values compare the same with both."""
    near = F(value)
    return np.nextafter(near, F(0)) if np.float64(near) > value else near
