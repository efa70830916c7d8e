"""Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019): two images in one, two labels in one.

    mixup     x = l x + (1 - l) x'     y = l y + (1 - l) y'     l ~ Beta(a, a)
    cutmix    a rectangle of x' of area (1 - l) replaces that of x; l is then its true area

x' is the batch in reverse order, which is random because the batch is.
"""

import numpy as np

from data_tools.imageset import Array


def mixup(images: Array, targets: Array, alpha: float, rng: np.random.Generator) -> None:
    """Blend each image with another, in place.  (B, 3, S, S), (B, C)."""
    share = np.float32(rng.beta(alpha, alpha))
    for x in (images, targets):
        x[...] = share * x + (1 - share) * x[::-1]


def cutmix(images: Array, targets: Array, alpha: float, rng: np.random.Generator) -> None:
    """Paste a rectangle of another image into each, in place.  (B, 3, S, S), (B, C)."""
    height, width = images.shape[2:]
    side = np.sqrt(1 - rng.beta(alpha, alpha))
    y, x = int(rng.integers(height)), int(rng.integers(width))
    top, bottom = _span(y, side * height, height)
    left, right = _span(x, side * width, width)
    box = images[:, :, top:bottom, left:right]
    box[...] = box[::-1].copy()
    share = np.float32(1 - (bottom - top) * (right - left) / (height * width))
    targets[...] = share * targets + (1 - share) * targets[::-1]


def _span(centre: int, length: float, limit: int) -> tuple[int, int]:
    """Cut a run of about `length` around `centre` to the image."""
    half = round(length / 2)
    return max(centre - half, 0), min(centre + half, limit)
