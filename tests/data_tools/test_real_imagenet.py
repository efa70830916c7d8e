"""Real pictures, if TERVIT_DATA has them: every bit of the official preprocessing."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_tools import load, normalise, preprocess
from data_tools.preprocessing import IMAGENET_MEAN, IMAGENET_STD

FOLDER = Path(os.environ.get("TERVIT_DATA", "")) / "imagenet"
pytestmark = pytest.mark.skipif(
    not (FOLDER / "val").is_dir(), reason="TERVIT_DATA has no imagenet/val with class folders"
)


def reference(file):
    """Resize(256, bicubic), CenterCrop(224), ToTensor, Normalize, after their descriptions."""
    picture = Image.open(file).convert("RGB")
    width, height = picture.size
    size = (256, int(256 * height / width)) if width <= height else (int(256 * width / height), 256)
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    left, top = (int(round((side - 224) / 2.0)) for side in size)
    pixels = np.asarray(picture.crop((left, top, left + 224, top + 224))).astype(np.float32)
    scaled = (pixels / np.float32(255) - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_STD)
    return scaled.transpose(2, 0, 1)


def test_every_bit_of_every_picture_is_equal():
    images = load(f"imagenet:{FOLDER}", "test")
    assert len(images) >= 10
    for start in range(0, len(images), 16):
        chosen = np.arange(start, min(start + 16, len(images)))
        pixels, readable = images.pixels(chosen)
        assert readable.all()
        for i, image in zip(chosen, normalise(pixels, images.mean, images.std), strict=True):
            file = FOLDER / images.listing.name(int(i))
            expected = reference(file)
            np.testing.assert_array_equal(image, expected, err_msg=str(file))
            np.testing.assert_array_equal(preprocess(Image.open(file)), expected)
