"""Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019): two images in one, two labels in one.

    mixup     x = lam x + (1 - lam) x'     y = lam y + (1 - lam) y'     lam ~ Beta(alpha, alpha)
    cutmix    a rectangle of x' of area 1 - lam replaces that of x; cut at the border, its true
              area then weights the labels

x' is the batch in reverse order. The order of a batch is random already.
"""

import numpy as np

from data_tools.imageset import Array


def mixup(images: Array, targets: Array, alpha: float, rng: np.random.Generator) -> None:
    """Blend each image with another, in place.  (B, 3, S, S), (B, C)."""
    lam = np.float32(rng.beta(alpha, alpha))  # rounds the C library's last digit away
    for x in (images, targets):
        x[...] = lam * x + (1 - lam) * x[::-1]


def cutmix(images: Array, targets: Array, alpha: float, rng: np.random.Generator) -> None:
    """Paste a rectangle of another image into each, in place.  (B, 3, S, S), (B, C)."""
    height, width = images.shape[2:]
    side = np.sqrt(1 - rng.beta(alpha, alpha))
    y, x = int(rng.integers(height)), int(rng.integers(width))
    top, bottom = _span(y, side * height, height)
    left, right = _span(x, side * width, width)
    box = images[:, :, top:bottom, left:right]
    box[...] = box[::-1].copy()
    lam = np.float32(1 - (bottom - top) * (right - left) / (height * width))
    targets[...] = lam * targets + (1 - lam) * targets[::-1]


def _span(centre: int, length: float, limit: int) -> tuple[int, int]:
    """Return start and stop of about `length` pixels around `centre`, clipped to 0..limit."""
    half = round(length / 2)
    return max(centre - half, 0), min(centre + half, limit)
