"""Labelled images in memory, the interface of all labelled sets, and the errors of data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from data_tools.counted import counted

Array: TypeAlias = npt.NDArray[Any]


class DataError(ValueError):
    """A data set is absent, damaged or unexpected; the message says what to do."""


class NoSuchSplit(DataError):
    """The data set exists, but has no split of that name."""


class LabelledSet(Protocol):
    """One split of a data set, in memory or on disk, as evaluation and figures use it."""

    @property
    def name(self) -> str:
        """Name that `load` takes."""

    @property
    def split(self) -> str:
        """Name of the split."""

    @property
    def labels(self) -> Array:
        """Label of each image, int64 (N,)."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean of each channel, for pixels from 0 to 1."""

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation of each channel."""

    @property
    def size(self) -> int:
        """Side of the images in pixels."""

    @property
    def held_out(self) -> str:
        """How the images were drawn, if they are held out of another split; "" if not."""

    def __len__(self) -> int: ...

    def pixels(self, indices: Array) -> tuple[Array, Array]:
        """Return evaluation images, uint8 (n, S, S, 3), and whether each was readable (n,)."""

    def take(self, indices: Array) -> "LabelledSet":
        """Return the images at `indices`."""

    def relabel(self, labels: Sequence[int], classes: tuple[str, ...]) -> "LabelledSet":
        """Return the same images with new classes: class i becomes labels[i]."""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """One split of a data set; `images` may be memory-mapped.

    Raises
    ------
    DataError
        If images or labels have other types or shapes than below, a label is outside the classes,
        a class occurs twice, there are not three means and standard deviations, or one of them is
        not a number to divide by.
    """

    name: str
    split: str
    images: Array  # uint8 (N, S, S, 3)
    labels: Array  # int64 (N,), made of any integers
    classes: tuple[str, ...]
    mean: tuple[float, ...]  # of each channel, pixels from 0 to 1
    std: tuple[float, ...]
    held_out: str = ""  # how the images were drawn, if they are held out of another split

    def __post_init__(self) -> None:
        check_pixels(self.images, self.name)
        if np.shape(self.labels) != self.images.shape[:1]:
            raise DataError(
                f"{self.name}: images are {self.images.shape}, labels {np.shape(self.labels)}; "
                "expected (N, H, W, 3) and (N,)"
            )
        check_labels(self.labels, len(self.classes), self.name)
        # Arithmetic with labels of fewer bits would overflow, as in a table of confusions.
        object.__setattr__(self, "labels", self.labels.astype(np.int64, copy=False))
        if len(set(self.classes)) < len(self.classes):
            repeated = [name for name in self.classes if self.classes.count(name) > 1]
            raise DataError(f"{self.name}: the class {repeated[0]!r} occurs twice")
        if np.shape(self.mean) != (3,) or np.shape(self.std) != (3,):
            raise DataError(
                f"{self.name}: mean is {self.mean}, std {self.std}; expected one number for each "
                "of R, G, B"
            )
        for name in ("mean", "std"):  # JSON stores no numbers of NumPy
            object.__setattr__(self, name, tuple(float(x) for x in getattr(self, name)))
        if not np.isfinite((self.mean, self.std)).all() or min(self.std) <= 0:
            raise DataError(
                f"{self.name}: mean is {self.mean}, std {self.std}; expected finite numbers, and "
                "standard deviations above 0"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return int(self.images.shape[1])

    def pixels(self, indices: Array) -> tuple[Array, Array]:
        """Return the images at `indices`, all of them readable."""
        return self.images[indices], np.ones(len(indices), bool)

    def take(self, indices: Array) -> "ImageSet":
        """Return the images at `indices`, in that order."""
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def relabel(self, labels: Sequence[int], classes: tuple[str, ...]) -> "ImageSet":
        """Return the same images with new classes: class i becomes labels[i]."""
        return replace(self, labels=np.array(labels, np.int64)[self.labels], classes=classes)

    def hold_out(self, count: int, seed: int) -> tuple["ImageSet", "ImageSet"]:
        """Split off `count` random images, of each class its share.  -> remaining, held out.

        Raises
        ------
        DataError
            If a class would lose all its images, or none is held out.
        """
        remaining, held_out = split_by_class(self, count, seed)
        drawn = replace(self.take(held_out), split="val", held_out=f"by class, seed {seed}")
        return self.take(remaining), drawn


def check_pixels(images: Array, source: str) -> None:
    """Raise DataError unless images are uint8 (N, H, W, 3): bytes, three channels, these last."""
    if not isinstance(images, np.ndarray):
        raise DataError(f"{source}: images are a {type(images).__name__}, expected an array")
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise DataError(
            f"{source}: images are {images.dtype} {images.shape}, expected uint8 (N, H, W, 3)"
        )


def check_labels(labels: Array, classes: int, source: str) -> None:
    """Raise DataError unless all labels are whole numbers from 0 to `classes` - 1."""
    if not isinstance(labels, np.ndarray):
        raise DataError(f"{source}: labels are a {type(labels).__name__}, expected an array")
    if labels.dtype.kind not in "iu":
        raise DataError(f"{source}: labels are {labels.dtype}, expected whole numbers")
    low, high = np.min(labels, initial=0), np.max(labels, initial=0)
    if low < 0 or high >= max(classes, 1):
        raise DataError(
            f"{source}: labels from {low} to {high}, expected 0 to {classes - 1}, one number for "
            f"each of {classes} classes"
        )


def split_by_class(images: LabelledSet, count: int, seed: int) -> tuple[Array, Array]:
    """Draw `count` images, of each class its share.  -> remaining, drawn indices, each sorted.

    Shares are whole numbers by the largest remainders: of classes with 30 and 10 images 6 and 2.

    Raises
    ------
    DataError
        If none would be drawn, or a class would lose all its images.
    """
    sizes = np.bincount(images.labels, minlength=len(images.classes))
    if not 0 < count < len(images):
        raise DataError(
            f"{images.name}: cannot hold out {count:,} of "
            f"{counted(len(images), f'{images.split} image')}; choose a number "
            f"between 1 and {len(images) - 1}"
        )
    exact = count * sizes / len(images)
    shares = exact.astype(int)
    order = np.argsort(shares - exact, kind="stable")  # the largest remainders first
    shares[order[: count - shares.sum()]] += 1
    for name, size, share in zip(images.classes, sizes, shares, strict=True):
        if 0 < size <= share:
            raise DataError(
                f"{images.name}: to hold out {counted(count, 'image')} leaves none of the class "
                f"{name!r}, which has {size}; hold out fewer"
            )
    random_order = np.random.default_rng([seed, 0x401D]).permutation(len(images))
    by_class = random_order[np.argsort(images.labels[random_order], kind="stable")]
    ranks = np.arange(len(images)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    drawn = ranks < np.repeat(shares, sizes)
    return np.sort(by_class[~drawn]), np.sort(by_class[drawn])


def random_split(total: int, count: int, seed: int) -> tuple[Array, Array]:
    """Split 0..total-1 at random.  -> remaining (total - count,), drawn (count,), each sorted."""
    order = np.random.default_rng([seed, 0x401D]).permutation(total)
    return np.sort(order[count:]), np.sort(order[:count])
