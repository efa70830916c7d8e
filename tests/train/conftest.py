"""A data set and a model small enough to train in a test."""

import numpy as np
import pytest

import tervit_np as tv
from data_tools import Augment, ImageSet
from tervit_np.train import Data, Recipe
from tests.rounding import generator

CLASSES = ("red", "green", "blue")


def colours(count: int, split: str, seed: int) -> ImageSet:
    """Noisy 8-pixel images whose class is their strongest channel."""
    rng = generator(seed)
    labels = rng.integers(0, 3, count)
    images = rng.integers(0, 160, (count, 8, 8, 3))
    images[np.arange(count), :, :, labels] += 80
    mean, std = (0.4, 0.4, 0.4), (0.2, 0.2, 0.2)
    return ImageSet("colours", split, images.astype(np.uint8), labels, CLASSES, mean, std)


@pytest.fixture
def data() -> Data:
    return Data(colours(64, "train", 0), colours(24, "val", 1), colours(24, "test", 2))


@pytest.fixture
def model() -> tv.DeiT:
    config = tv.DeiTConfig(8, 4, 3, 16, 2, 2, drop_path=0.3, pool="mean", init="xavier")
    return tv.DeiT(config, generator(0))


@pytest.fixture
def recipe() -> Recipe:
    """Everything random switched on."""
    augment = Augment(crop_padding=1, flip=True, mixup=0.4, cutmix=0.5)
    return Recipe(batch_size=8, ema=0.9, augment=augment)
