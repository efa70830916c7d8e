"""Data augmentation: random changes of training images that keep their class.

    crop      shift by up to `crop_padding` pixels; reflection fills the border
    flip      mirror left and right with probability 1/2, or every image in every second epoch
    invert    swap bright and dark, x -> 1 - x for x from 0 to 1, with a probability; off by default
    RandAugment, cutout, erasing, mixup, cutmix   see their files; off by default

In two steps, from uint8 images to the float batch and soft targets of one training step:

    1. geometry and colour   `augment_uint8` for a batch of small images, `augment_picture` for one
                             picture of any size, in the process that decodes it
    2. the rest              `to_batch`
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from data_tools.crops import erase_, random_resized_crop
from data_tools.imageset import Array, DataError, check_labels, check_pixels
from data_tools.mixing import cutmix, mixup
from data_tools.plain_numbers import use_plain_numbers, wrong_kind
from data_tools.preprocessing import normalise
from data_tools.randaugment import randaugment

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Augment:
    """Which augmentations, and how strong; 0 and False switch one off."""

    crop_padding: int = 4  # pixels; for images in memory
    flip: bool = True
    alternate_flip: bool = False  # mirror an image in every second epoch (Jordan 2024)
    min_scale: float = 0.08  # least area of a random crop, as a fraction; for streamed pictures
    repeats: int = 1  # repeated augmentation: an epoch has 1/repeats of the images, each repeated
    randaugment_ops: int = 0  # operations per image
    randaugment_magnitude: float = 5  # 0 to 10
    randaugment_magnitude_std: float = 0.0  # Gaussian noise on the magnitude of each operation
    randaugment_prob: float = 1.0  # probability that a drawn operation is applied
    invert: float = 0.0  # probability that bright and dark are swapped
    erasing: float = 0.0  # probability that noise replaces a box of the image
    cutout: int = 0  # side of the square filled with the mean colour
    mixup: float = 0.0  # alpha of the beta distribution
    cutmix: float = 0.0  # alpha; if both are on, each batch draws one of the two
    mix_prob: float = 1.0  # probability that a batch is mixed
    until: float = 1.0  # fraction of training after which nothing is cut out, erased or mixed

    def __post_init__(self) -> None:
        use_plain_numbers(self)
        if problem := wrong_kind(self):
            raise DataError(f"augment: {problem}")
        for name, value in vars(self).items():
            if not 0 <= value < math.inf:
                raise DataError(f"augment: {name} is {value}; expected a number of at least 0")
        for name in ("min_scale", "randaugment_prob", "invert", "erasing", "mix_prob", "until"):
            if getattr(self, name) > 1:
                raise DataError(f"augment: {name} is {getattr(self, name)}; expected at most 1")
        if self.repeats < 1:
            raise DataError(f"augment: repeats is {self.repeats}; expected at least 1")
        if self.randaugment_magnitude > 10:
            magnitude = self.randaugment_magnitude
            raise DataError(f"augment: randaugment_magnitude is {magnitude}; expected at most 10")
        if self.alternate_flip and not self.flip:
            raise DataError("augment: alternate_flip is a way to flip, but flip is off")

    def at(self, progress: float) -> "Augment":
        """Return the augmentation after a fraction of training: without what has ended by then."""
        if progress < self.until:
            return self
        return replace(self, erasing=0.0, cutout=0, mixup=0.0, cutmix=0.0)

    def augment_uint8(
        self, images: Array, rng: np.random.Generator, mirrored: Array | None = None
    ) -> Array:
        """Crop, flip and RandAugment a batch of small images.  uint8 (B, S, S, 3) -> new ones.

        `mirrored` (B,) says which images are mirrored; without it, they are drawn.

        Raises
        ------
        DataError
            If the images have another type or shape.
        """
        check_pixels(images, "augment")
        images = crop_and_flip(images, self.crop_padding, self.flip, rng, mirrored)
        if self.randaugment_ops:
            for image in images:
                image[...] = self._randaugment(image, rng)
        return images

    def augment_picture(self, picture: "Image", size: int, rng: np.random.Generator) -> Array:
        """Crop, flip and RandAugment one picture of any size.  -> uint8 (size, size, 3)."""
        crop = random_resized_crop(picture, size, self.min_scale, self.flip, rng)
        return self._randaugment(np.asarray(crop), rng)

    def _randaugment(self, pixels: Array, rng: np.random.Generator) -> Array:
        return randaugment(
            pixels,
            self.randaugment_ops,
            self.randaugment_magnitude,
            rng,
            self.randaugment_magnitude_std,
            self.randaugment_prob,
        )

    def to_batch(
        self,
        images: Array,
        labels: Array,
        num_classes: int,
        smoothing: float,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        """Turn augmented bytes into a batch: invert, cutout, normalise, erase, mix.

        uint8 (B, S, S, 3), (B,) -> float32 (B, 3, S, S), soft targets (B, C)

        Raises
        ------
        DataError
            If the images have another type or shape, or a label is outside the classes.
        """
        check_pixels(images, "augment")
        if self.invert or self.cutout:
            images = images.copy()  # those of the caller stay as they are
        if self.invert:
            inverted = rng.random(len(images)) < self.invert
            images[inverted] = invert(images[inverted])
        if self.cutout:
            cutout_(images, self.cutout, mean, rng)
        pixels = normalise(images, mean, std)
        if self.erasing:
            erase_(pixels, self.erasing, rng)
        targets = soft_targets(labels, num_classes, smoothing)
        alphas = [(mixup, self.mixup), (cutmix, self.cutmix)]
        active = [(mix, alpha) for mix, alpha in alphas if alpha > 0]
        if active and (self.mix_prob == 1 or rng.random() < self.mix_prob):
            mix, alpha = active[rng.integers(len(active))]
            mix(pixels, targets, alpha, rng)
        return pixels, targets


def crop_and_flip(
    images: Array,
    padding: int,
    flip: bool,
    rng: np.random.Generator,
    mirrored: Array | None = None,
) -> Array:
    """Shift each image by up to `padding` pixels and mirror half of them.  -> a new array.

    `mirrored` (B,) says which images are mirrored; without it, they are drawn. The padded image is
    never built: one gather reads each pixel from its reflected position.
    """
    count, height, width, channels = images.shape
    shifts = rng.integers(0, 2 * padding + 1, (count, 2))
    drawn = flip & (rng.random((count, 1)) < 0.5)
    mirror = drawn if mirrored is None else mirrored[:, None]
    rows = _reflected_indices(height, padding)[shifts[:, :1] + np.arange(height)]
    columns = _reflected_indices(width, padding)[shifts[:, 1:] + np.arange(width)]
    columns = np.where(mirror, columns[:, ::-1], columns)
    first_pixel = np.arange(count)[:, None] * (height * width)
    pixel_index = (first_pixel + rows * width)[:, :, None] + columns[:, None, :]
    result: Array = images.reshape(-1, channels).take(pixel_index, axis=0)
    return result


def _reflected_indices(length: int, padding: int) -> Array:
    """Return the pixel indices of a line padded by reflection.  -> (length + 2 padding,)."""
    return np.pad(np.arange(length), padding, mode="reflect")


def cutout_(images: Array, side: int, mean: tuple[float, ...], rng: np.random.Generator) -> None:
    """Fill a random square of each image with the mean colour, in place (DeVries, Taylor 2017)."""
    count, height, width, _ = images.shape
    colour = np.rint(255 * np.asarray(mean)).astype(np.uint8)
    centres = rng.integers((0, 0), (height, width), (count, 2)).tolist()
    for image, (y, x) in zip(images, centres, strict=True):
        top, left = max(y - side // 2, 0), max(x - side // 2, 0)
        image[top : y - side // 2 + side, left : x - side // 2 + side] = colour


def invert(images: Array) -> Array:
    """Swap bright and dark: 1 - x for pixels x from 0 to 1, as bytes 255 - x.  uint8 (...)."""
    return np.subtract(255, images, dtype=np.uint8)


def soft_targets(labels: Array, num_classes: int, smoothing: float) -> Array:
    """Return smoothed one-hot rows: (1 - smoothing) onehot + smoothing / C.  (B,) -> (B, C).

    Raises
    ------
    DataError
        If a label is outside 0..C-1.
    """
    check_labels(labels, num_classes, "augment")
    targets = np.full((len(labels), num_classes), smoothing / num_classes, np.float32)
    targets[np.arange(len(labels)), labels] += np.float32(1 - smoothing)
    return targets
