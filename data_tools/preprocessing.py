"""From uint8 pixels to the normalised float images that a model takes."""

from typing import Any

import numpy as np

from data_tools.crops import center_crop
from data_tools.imageset import Array, DataError, check_pixels

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def normalise(images: Array, mean: tuple[float, ...], std: tuple[float, ...]) -> Array:
    """Return (x / 255 - mean) / std.  uint8 (B, H, W, 3) -> float32 (B, 3, H, W), contiguous.

    The operations have the order of the official pipelines, so that every bit is equal.

    Raises
    ------
    DataError
        If the images have another type or shape, or `mean` or `std` has not three numbers.
    """
    check_pixels(images, "normalise")
    if len(mean) != 3 or len(std) != 3:
        raise DataError(
            f"normalise: mean is {mean}, std {std}; expected one number for each of R, G, B"
        )
    out = np.empty((images.shape[0], 3, *images.shape[1:3]), np.float32)
    for c in range(3):
        channel = out[:, c]
        np.divide(images[..., c], np.float32(255), out=channel, casting="unsafe")
        channel -= np.float32(mean[c])
        channel /= np.float32(std[c])
    return out


def preprocess(image: Any, size: int = 224) -> Array:
    """Prepare a PIL image for an ImageNet model.  -> float32 (3, size, size).

    The official evaluation: at 224 pixels, resize the short side to 256 by bicubic interpolation
    (the long side is truncated to a whole number) and crop the centre.
    """
    crop = center_crop(image.convert("RGB"), size)
    pixels: Array = normalise(crop[None], IMAGENET_MEAN, IMAGENET_STD)
    return np.ascontiguousarray(pixels[0])
