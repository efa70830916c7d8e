"""Labelled images in memory, what any labelled set can do, and the errors that data can cause."""

from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]


class DataError(ValueError):
    """Data are absent, damaged or not what they claim to be; the message says what to do."""


class NoSuchSplit(DataError):
    """The set is known and has no split of that name."""


class LabelledSet(Protocol):
    """One split of a data set, in memory or on disk: what evaluation and figures need of it."""

    @property
    def name(self) -> str:
        """Name that `load` knows."""

    @property
    def split(self) -> str:
        """Which split."""

    @property
    def labels(self) -> Array:
        """Return int64 (N,)."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""

    @property
    def mean(self) -> tuple[float, ...]:
        """Of each channel, pixels from 0 to 1."""

    @property
    def std(self) -> tuple[float, ...]:
        """Of each channel."""

    @property
    def size(self) -> int:
        """Side of the images in pixels."""

    def __len__(self) -> int: ...

    def pixels(self, indices: Array) -> tuple[Array, Array]:
        """Return images as evaluated, uint8 (n, S, S, 3), and which of them could be read (n,)."""

    def take(self, indices: Array) -> "LabelledSet":
        """Return the images at `indices`."""


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

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return int(self.images.shape[1])

    def pixels(self, indices: Array) -> tuple[Array, Array]:
        """Return the images at `indices`, and that each could be read."""
        return self.images[indices], np.ones(len(indices), bool)

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
        rest, held = held_out(len(self), count, seed)
        return self.take(rest), replace(self.take(held), split="val")


def held_out(total: int, count: int, seed: int) -> tuple[Array, Array]:
    """Draw `count` of `total` numbers.  -> the rest and the drawn, each sorted."""
    order = np.random.default_rng([seed, 0x401D]).permutation(total)
    return np.sort(order[count:]), np.sort(order[:count])
