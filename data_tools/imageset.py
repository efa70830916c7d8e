"""A labelled set of images in memory, and the errors that data can cause."""

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]


class DataError(ValueError):
    """Data are absent, damaged or not what they claim to be; the message says what to do."""


class NoSuchSplit(DataError):
    """The set is known and has no split of that name."""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """One split of a data set; `images` may be memory-mapped.

    Raises
    ------
    DataError
        If images and labels do not have the types and shapes below.
    """

    name: str
    split: str
    images: Array  # uint8 (N, S, S, 3)
    labels: Array  # int64 (N,)
    classes: tuple[str, ...]
    mean: tuple[float, float, float]  # of each channel, pixels from 0 to 1
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        shape, kind = self.images.shape, self.images.dtype
        if len(shape) != 4 or shape[3] != 3 or kind != np.uint8 or self.labels.shape != shape[:1]:
            raise DataError(
                f"{self.name}: images are {kind} {shape} with labels {self.labels.shape}; expected "
                "uint8 (N, H, W, 3) and (N,)"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Array) -> "ImageSet":
        """Return the images at `indices`, in that order."""
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def hold_out(self, count: int, seed: int) -> tuple["ImageSet", "ImageSet"]:
        """Split off `count` images drawn at random from `seed`.  -> the rest, the held-out.

        Raises
        ------
        DataError
            If that would leave nothing on one side.
        """
        if not 0 < count < len(self):
            raise DataError(
                f"{self.name}: cannot hold {count} of {len(self)} {self.split} images out; "
                f"choose a number between 1 and {len(self) - 1}"
            )
        order = np.random.default_rng([seed, 0x401D]).permutation(len(self))
        rest, held = np.sort(order[count:]), np.sort(order[:count])
        return self.take(rest), replace(self.take(held), split="val")
