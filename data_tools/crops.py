"""What is cut out of a picture of any size.

evaluation   short side to S / 0.875 by bicubic interpolation, the middle S x S
training     a random part of 8 to 100 % of the area, 3:4 to 4:3, resized to S x S; mirrored
             or not (Szegedy et al. 2015; the recipe of DeiT)
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from data_tools.imageset import Array

if TYPE_CHECKING:
    from PIL.Image import Image

_CROP = 0.875  # share of the resized short side that is cut out
_RATIOS = (3 / 4, 4 / 3)
_ATTEMPTS = 10


def middle(picture: "Image", size: int) -> Array:
    """Cut the evaluation crop.  -> uint8 (size, size, 3)."""
    from PIL import Image

    width, height = picture.size
    short, target = min(width, height), int(size / _CROP)
    width, height = int(target * width / short), int(target * height / short)
    resized = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = int(round((width - size) / 2.0)), int(round((height - size) / 2.0))
    return np.asarray(resized.crop((left, top, left + size, top + size)))


def random_part(
    picture: "Image", size: int, smallest: float, flip: bool, rng: np.random.Generator
) -> "Image":
    """Cut a random part, resize and perhaps mirror it.  -> a picture of size x size."""
    from PIL import Image

    part = picture.crop(_box(*picture.size, smallest, rng))
    resized = part.resize((size, size), Image.Resampling.BICUBIC)
    mirrored = flip and rng.random() < 0.5
    return resized.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else resized


def _box(
    width: int, height: int, smallest: float, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """Draw a part: left, top, right, bottom; the largest in the middle if none fits."""
    for _ in range(_ATTEMPTS):
        area = width * height * rng.uniform(smallest, 1)
        ratio = math.exp(rng.uniform(math.log(_RATIOS[0]), math.log(_RATIOS[1])))
        wide, high = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < high <= height:
            left, top = int(rng.integers(width - wide + 1)), int(rng.integers(height - high + 1))
            return left, top, left + wide, top + high
    wide = min(width, round(height * _RATIOS[1]))
    high = min(height, round(width / _RATIOS[0]))
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + wide, top + high


def erase_(images: Array, chance: float, rng: np.random.Generator) -> None:
    """Fill a random box of some images with noise, in place (Zhong et al. 2020).  (B, 3, S, S)."""
    _, channels, height, width = images.shape
    for image in (images[i] for i in np.flatnonzero(rng.random(len(images)) < chance)):
        for _ in range(_ATTEMPTS):
            area = height * width * rng.uniform(0.02, 1 / 3)
            ratio = math.exp(rng.uniform(math.log(0.3), math.log(1 / 0.3)))
            high, wide = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < high < height and 0 < wide < width:
                top = int(rng.integers(height - high + 1))
                left = int(rng.integers(width - wide + 1))
                noise = rng.standard_normal((channels, high, wide), np.float32)
                image[:, top : top + high, left : left + wide] = noise
                break
