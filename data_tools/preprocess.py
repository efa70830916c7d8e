"""From pixels to what a model reads."""

from typing import Any

import numpy as np

from data_tools.imageset import Array

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def normalise(images: Array, mean: tuple[float, ...], std: tuple[float, ...]) -> Array:
    """Shift and scale channels.  uint8 (B, H, W, 3) -> float32 (B, 3, H, W), contiguous."""
    out = np.empty((images.shape[0], 3, *images.shape[1:3]), np.float32)
    for c in range(3):
        scale = np.float32(1 / (255 * std[c]))
        np.multiply(images[..., c], scale, out=out[:, c], casting="unsafe")
        out[:, c] -= np.float32(mean[c] / std[c])
    return out


def preprocess(image: Any) -> Array:
    """Prepare a PIL image for a 224-pixel ImageNet model.  -> float32 (3, 224, 224).

    The official evaluation: the short side becomes 256 by bicubic interpolation (the long side is
    truncated to a whole number), the middle 224 x 224 are cut out.
    """
    from PIL import Image

    rgb = image.convert("RGB")
    width, height = rgb.size
    short = min(width, height)
    width, height = int(256 * width / short), int(256 * height / short)
    rgb = rgb.resize((width, height), Image.Resampling.BICUBIC)
    left, top = int(round((width - 224) / 2.0)), int(round((height - 224) / 2.0))
    pixels = np.asarray(rgb.crop((left, top, left + 224, top + 224)))
    scaled = pixels.astype(np.float32) / np.float32(255)
    mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
    return np.ascontiguousarray(((scaled - mean) / std).transpose(2, 0, 1))
