"""The learning rate of a stage: linear warm-up, then half a cosine.

lr(t) = peak (t + 1) / W                                               t < W
lr(t) = floor + (peak - floor) (1 + cos(pi (t - W) / (T - W))) / 2     otherwise
"""

import math

from data_tools import elementary


def warmup_cosine(step: int, total: int, peak: float, warmup: float, final: float) -> float:
    """Return the learning rate of one step.

    `warmup` is the fraction of steps in which the rate rises, `final` the ratio of the last rate to
    the peak.
    """
    warm = round(warmup * total)
    if step < warm:
        return peak * (step + 1) / warm
    floor = final * peak
    progress = (step - warm) / max(total - warm, 1)
    return floor + (peak - floor) * (1 + float(elementary.cos(math.pi * progress))) / 2
