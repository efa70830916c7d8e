"""Random changes of a batch that leave its meaning alone.

    crop      shift by up to `crop_padding` pixels, the border reflected
    flip      mirror left and right, every second image
    RandAugment, cutout, erasing, mixup, cutmix   see their files; off by default

The batch arrives as bytes and leaves as the float images and soft targets of one training step.
Small images are shifted, mirrored and distorted together (`moved`), pictures of any size one by one
where they are decoded (`picture`); the rest happens to the batch (`finish`).
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_tools.crops import erase_, random_part
from data_tools.imageset import Array, DataError
from data_tools.mixing import cutmix, mixup
from data_tools.preprocess import normalise
from data_tools.randaugment import randaugment

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Augment:
    """What to change; zeros and False change nothing."""

    crop_padding: int = 4
    flip: bool = True
    smallest_part: float = 0.08  # share of a large picture's area that a crop has at least
    repeats: int = 1  # times that an image occurs in an epoch, of which there are as many fewer
    randaugment_ops: int = 0  # operations an image
    randaugment_magnitude: float = 5  # 0 to 10
    randaugment_spread: float = 0.0  # of each operation's magnitude, Gaussian
    randaugment_chance: float = 1.0  # that a drawn operation is applied
    erasing: float = 0.0  # share of the images that lose a box to noise
    cutout: int = 0  # side of the square painted in the mean colour
    mixup: float = 0.0  # alpha of the beta distribution
    cutmix: float = 0.0  # alpha; where both are on, each batch draws one of the two

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < math.inf:
                raise DataError(f"augmentation: {name} is {value}; expected 0 or more")
        for name in ("smallest_part", "randaugment_chance", "erasing"):
            if getattr(self, name) > 1:
                raise DataError(
                    f"augmentation: {name} is {getattr(self, name)}; a share, at most 1"
                )
        if self.repeats < 1:
            raise DataError(f"augmentation: repeats is {self.repeats}; at least 1")
        if self.randaugment_magnitude > 10:
            raise DataError(f"randaugment_magnitude is {self.randaugment_magnitude}; at most 10")

    def moved(self, images: Array, rng: np.random.Generator) -> Array:
        """Shift, mirror and distort a batch of small images.  uint8 (B, S, S, 3) -> the same."""
        images = crop_and_flip(images, self.crop_padding, self.flip, rng)
        if self.randaugment_ops:
            from PIL import Image

            for image in images:
                image[...] = np.asarray(self._distorted(Image.fromarray(image), rng))
        return images

    def picture(self, picture: "Image", size: int, rng: np.random.Generator) -> Array:
        """Augment one picture of any size.  -> uint8 (size, size, 3)."""
        part = random_part(picture, size, self.smallest_part, self.flip, rng)
        return np.asarray(self._distorted(part, rng))

    def _distorted(self, picture: "Image", rng: np.random.Generator) -> "Image":
        return randaugment(
            picture,
            self.randaugment_ops,
            self.randaugment_magnitude,
            rng,
            self.randaugment_spread,
            self.randaugment_chance,
        )

    def finish(
        self,
        images: Array,
        labels: Array,
        num_classes: int,
        smoothing: float,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        """Turn a batch of bytes, already moved about, into images and targets, and mix them."""
        if self.cutout:
            cutout_(images, self.cutout, mean, rng)
        pixels = normalise(images, mean, std)
        if self.erasing:
            erase_(pixels, self.erasing, rng)
        targets = soft_targets(labels, num_classes, smoothing)
        alphas = [(mixup, self.mixup), (cutmix, self.cutmix)]
        active = [(mix, alpha) for mix, alpha in alphas if alpha > 0]
        if active:
            mix, alpha = active[rng.integers(len(active))]
            mix(pixels, targets, alpha, rng)
        return pixels, targets


def crop_and_flip(images: Array, padding: int, flip: bool, rng: np.random.Generator) -> Array:
    """Shift each image by up to `padding` pixels and mirror half of them.  -> a new array.

    Nothing is padded: every pixel of the result is looked up where reflection would have put it.
    """
    count, height, width, channels = images.shape
    shifts = rng.integers(0, 2 * padding + 1, (count, 2))
    mirror = flip & (rng.random((count, 1)) < 0.5)
    rows = _reflected(height, padding)[shifts[:, :1] + np.arange(height)]
    columns = _reflected(width, padding)[shifts[:, 1:] + np.arange(width)]
    columns = np.where(mirror, columns[:, ::-1], columns)
    corners = np.arange(count)[:, None] * (height * width)
    places = (corners + rows * width)[:, :, None] + columns[:, None, :]
    moved: Array = images.reshape(-1, channels).take(places, axis=0)
    return moved


def _reflected(length: int, padding: int) -> Array:
    """Number the pixels of a line continued by reflection.  -> (length + 2 padding,)."""
    return np.pad(np.arange(length), padding, mode="reflect")


def cutout_(images: Array, side: int, mean: tuple[float, ...], rng: np.random.Generator) -> None:
    """Paint a square of each image in the mean colour, in place (DeVries, Taylor 2017)."""
    count, height, width, _ = images.shape
    colour = np.rint(255 * np.asarray(mean)).astype(np.uint8)
    centres = rng.integers((0, 0), (height, width), (count, 2)).tolist()
    for image, (y, x) in zip(images, centres, strict=True):
        top, left = max(y - side // 2, 0), max(x - side // 2, 0)
        image[top : y - side // 2 + side, left : x - side // 2 + side] = colour


def soft_targets(labels: Array, num_classes: int, smoothing: float) -> Array:
    """One-hot rows mixed with the uniform distribution.  (B,) -> float32 (B, C)."""
    targets = np.full((len(labels), num_classes), smoothing / num_classes, np.float32)
    targets[np.arange(len(labels)), labels] += np.float32(1 - smoothing)
    return targets
