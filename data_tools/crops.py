"""Crops of a picture of any size, resized to S x S.

center_crop           evaluation: resize the short side to S / 0.875, crop the centre S x S
random_resized_crop   training: crop a random box of 8 to 100 % of the area with an aspect ratio
                      of 3:4 to 4:3, resize to S x S, mirror or not (Szegedy et al. 2015; DeiT)
erase_                training: fill a random box with noise

Interpolation is bicubic.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from data_tools import elementary
from data_tools.imageset import Array

if TYPE_CHECKING:
    from PIL.Image import Image

_CROP = 0.875  # of the resized short side, what the evaluation crop keeps
_LONGEST = 16  # longest shape, in short sides, that is resized as a whole
_RATIOS = (3 / 4, 4 / 3)
_ATTEMPTS = 10  # draws of a box that fits


def center_crop(picture: "Image", size: int) -> Array:
    """Return the evaluation crop.  -> uint8 (size, size, 3).

    Rounds as torchvision does: the long side is truncated, the offset is int(round(d / 2)). Of a
    picture more than 16 times as long as wide, only the centre is resized: of 1 x 6000 pixels the
    whole would become 256 x 1,536,000.
    """
    from PIL import Image

    picture = _without_ends(picture)
    width, height = picture.size
    short, target = min(width, height), int(size / _CROP)
    width, height = int(target * width / short), int(target * height / short)
    resized = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = int(round((width - size) / 2.0)), int(round((height - size) / 2.0))
    return np.asarray(resized.crop((left, top, left + size, top + size)))


def _without_ends(picture: "Image") -> "Image":
    """Crop a very long picture to its centre; return any other unchanged."""
    width, height = picture.size
    longest = _LONGEST * min(width, height)
    if max(width, height) <= longest:
        return picture
    left, top = max(width - longest, 0) // 2, max(height - longest, 0) // 2
    return picture.crop((left, top, left + min(width, longest), top + min(height, longest)))


def random_resized_crop(
    picture: "Image", size: int, min_scale: float, flip: bool, rng: np.random.Generator
) -> "Image":
    """Crop a random box, resize it and, if `flip`, mirror half of the results.  -> size x size."""
    from PIL import Image

    crop = picture.crop(_random_box(*picture.size, min_scale, rng))
    resized = crop.resize((size, size), Image.Resampling.BICUBIC)
    mirrored = flip and rng.random() < 0.5
    return resized.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else resized


def _random_box(
    width: int, height: int, min_scale: float, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """Draw left, top, right, bottom; if no draw fits, return the largest box in the centre."""
    for _ in range(_ATTEMPTS):
        area = width * height * rng.uniform(min_scale, 1)
        ratio = _between(_RATIOS, rng)
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
            return left, top, left + w, top + h
    w = min(width, round(height * _RATIOS[1]))
    h = min(height, round(width / _RATIOS[0]))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def _between(ratios: tuple[float, float], rng: np.random.Generator) -> float:
    """Draw a ratio of which the logarithm is uniform."""
    low, high = elementary.log(np.array(ratios))
    return float(elementary.exp(rng.uniform(low, high)))


def erase_(images: Array, prob: float, rng: np.random.Generator) -> None:
    """Fill a random box of an image with noise with probability `prob` (Zhong et al. 2020).

    In place.  (B, 3, S, S)
    """
    _, channels, height, width = images.shape
    for image in (images[i] for i in np.flatnonzero(rng.random(len(images)) < prob)):
        for _ in range(_ATTEMPTS):
            area = height * width * rng.uniform(0.02, 1 / 3)
            ratio = _between((0.3, 1 / 0.3), rng)
            h, w = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < h < height and 0 < w < width:
                top = int(rng.integers(height - h + 1))
                left = int(rng.integers(width - w + 1))
                noise = elementary.normal32(rng, (channels, h, w))
                image[:, top : top + h, left : left + w] = noise
                break
