"""Ternarization of weight rows: threshold, scale and codes without a temporary array.

Twin of quant/ternarize.py for thresholds by factor; sums in float64 as there.
"""

from typing import Any

import numpy as np

from tervit_np.compiled.exponential import F
from tervit_np.compiled.jit import REORDER, kernel


@kernel(fastmath=REORDER)
def ternarize_rows(w: Any, factor: float, mean_scale: bool) -> Any:
    """(M, N) -> w_hat (M, N), scale (M,), threshold (M,).  NaN or infinity makes the scale so."""
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
            size = abs(w[m, i])
            inside = size > cut
            support += np.float64(size if inside else F(0))
            count += np.int32(inside)
        scale = F(mean if mean_scale else support / max(float(count), 1.0))
        scales[m] = scale if total < np.inf else F(np.nan)  # isfinite would be reordered away
        thresholds[m] = F(delta)
        for i in range(width):
            above = scale if w[m, i] > cut else F(0)
            w_hat[m, i] = -scale if w[m, i] < -cut else above
    return w_hat, scales, thresholds


@kernel()
def _round_down(value: Any) -> Any:
    """Return the largest float32 that is not above a float64: comparing with it is the same."""
    near = F(value)
    return np.nextafter(near, F(0)) if np.float64(near) > value else near
