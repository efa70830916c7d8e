"""Ternarization of weight rows: threshold, scale and codes without a temporary array.

Twin of quant/ternarize.py for thresholds by factor; sums in float64 as there.
"""

from typing import Any

import numpy as np

from tervit_np.kernels.exponential import F
from tervit_np.kernels.jit import REORDER, kernel


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
        support, count = 0.0, 0
        for i in range(width):
            size = np.float64(abs(w[m, i]))
            inside = size > delta
            support += size if inside else 0.0
            count += 1 if inside else 0
        scale = F(mean if mean_scale else support / max(count, 1))
        scales[m] = scale if total < np.inf else F(np.nan)  # isfinite would be reordered away
        thresholds[m] = F(delta)
        for i in range(width):
            inside = np.float64(abs(w[m, i])) > delta
            signed = scale if w[m, i] > F(0) else -scale
            w_hat[m, i] = signed if inside else F(0)
    return w_hat, scales, thresholds
