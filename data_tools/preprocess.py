"""From pixels to what a model reads."""

from typing import Any

import numpy as np

from data_tools.crops import middle
from data_tools.imageset import Array

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def normalise(images: Array, mean: tuple[float, ...], std: tuple[float, ...]) -> Array:
    """Shift and scale channels.  uint8 (B, H, W, 3) -> float32 (B, 3, H, W), contiguous.

    (x / 255 - mean) / std, in the order of the official pipelines and so equal to them to the bit.
    """
    out = np.empty((images.shape[0], 3, *images.shape[1:3]), np.float32)
    for c in range(3):
        channel = out[:, c]
        np.divide(images[..., c], np.float32(255), out=channel, casting="unsafe")
        channel -= np.float32(mean[c])
        channel /= np.float32(std[c])
    return out


def preprocess(image: Any, size: int = 224) -> Array:
    """Prepare a PIL image for an ImageNet model.  -> float32 (3, size, size).

    The official evaluation: at 224 pixels the short side becomes 256 by bicubic interpolation (the
    long side is truncated to a whole number) and the middle is cut out.
    """
    pixels: Array = normalise(middle(image.convert("RGB"), size)[None], IMAGENET_MEAN, IMAGENET_STD)
    return np.ascontiguousarray(pixels[0])
