"""Pictures that stay on disk and are decoded when they are needed.

    imagenet:PATH,OPTION=VALUE,...

    size=224             side in pixels
    classes=N or LIST    the first N classes, or those named, with + between them or in a file
    per_class=N          the first N pictures of each

The folder is laid out like ImageNet, Imagenette or Tiny-ImageNet (see folders.py). Evaluation cuts
the official crop; a picture that cannot be read is left out and counted.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from data_tools.crops import middle
from data_tools.imageset import Array, DataError, held_out
from data_tools.listing import Listing, list_pictures
from data_tools.pictures import opened
from data_tools.preprocess import IMAGENET_MEAN, IMAGENET_STD
from data_tools.wordnet import imagenet_classes

PREFIX = "imagenet:"
_OPTIONS = ("size", "classes", "per_class")


@dataclass(frozen=True, eq=False)
class StreamedSet:
    """One split of a picture folder; looks like an ImageSet, holds names only."""

    name: str
    split: str
    listing: Listing
    size: int
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    kinds: Counter[str] = field(default_factory=Counter)  # of the pictures read so far
    unreadable: list[str] = field(default_factory=list)  # why, for each of them

    @property
    def labels(self) -> Array:
        """Return int64 (N,)."""
        return self.listing.labels

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.listing.classes

    def __len__(self) -> int:
        return len(self.listing)

    def take(self, indices: Array) -> "StreamedSet":
        """Return the pictures at `indices`."""
        return replace(self, listing=self.listing.take(indices))

    def hold_out(self, count: int, seed: int) -> tuple["StreamedSet", "StreamedSet"]:
        """Split off `count` pictures drawn at random.  -> the rest, the held-out."""
        if not 0 < count < len(self):
            raise DataError(f"{self.name}: cannot hold {count} of {len(self)} pictures out")
        rest, held = held_out(len(self), count, seed)
        return self.take(rest), replace(self.take(held), split="val")

    def pixels(self, indices: Array) -> tuple[Array, Array]:
        """Return evaluation crops, uint8 (n, S, S, 3), and which pictures could be read (n,)."""
        out = np.zeros((len(indices), self.size, self.size, 3), np.uint8)
        readable = np.zeros(len(indices), bool)
        for row, i in enumerate(indices):
            file = self.listing.place / self.listing.name(int(i))
            try:
                picture, kind = opened(file.read_bytes(), str(file))
            except (DataError, OSError) as error:
                self.unreadable.append(str(error))
                continue
            self.kinds[kind] += 1
            out[row], readable[row] = middle(picture, self.size), True
        return out, readable

    def account(self) -> str:
        """Say what the pictures read so far were."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kinds.most_common())
        if not self.unreadable:
            return f"{kinds}; all could be read"
        return f"{kinds}; {len(self.unreadable)} left out, the first: {self.unreadable[0]}"


def read_streamed(name: str, split: str, root: Path | None = None) -> StreamedSet:
    """List one split.

    Raises
    ------
    NoSuchSplit
        If there is no such split.
    DataError
        If the name has an unknown option, or the folder does not hold what it asks for.
    """
    place, options = parse_streamed(name)
    listing = list_pictures(place, split, root)
    if "classes" in options:
        listing = listing.of_classes(_wanted(options["classes"], listing.classes))
    if "per_class" in options:
        listing = listing.at_most(_number(name, options["per_class"]))
    return StreamedSet(name, split, listing, _number(name, options.get("size", "224")))


def parse_streamed(name: str) -> tuple[Path, dict[str, str]]:
    """Take "imagenet:PATH,OPTION=VALUE" apart.  -> path, options."""
    place, *pairs = name.removeprefix(PREFIX).split(",")
    options = dict(pair.partition("=")[::2] for pair in pairs)
    unknown = [option for option in options if option not in _OPTIONS]
    if unknown:
        raise DataError(f"{name}: unknown option {unknown[0]!r}; known: {', '.join(_OPTIONS)}")
    return Path(place).expanduser(), options


def _number(name: str, text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 10**6:
        raise DataError(f"{name}: {text!r} is no positive whole number")
    return int(text)


def _wanted(text: str, classes: tuple[str, ...]) -> list[str]:
    """Return the classes asked for: a number of them, a file with one a line, or a+b+c."""
    if text.isdigit():
        return list(classes[: int(text)])
    file = Path(text).expanduser()
    if file.is_file():
        return file.read_text(encoding="utf-8").split()
    return text.split("+")


def official_numbers(images: StreamedSet) -> StreamedSet:
    """Number classes that are WordNet ids as the thousand of ImageNet are numbered.

    So the pictures of some classes can be given to a model of all thousand.

    Raises
    ------
    DataError
        If a class is none of the thousand.
    """
    listing = images.listing.numbered_by(tuple(id for id, _ in imagenet_classes()))
    return replace(images, listing=listing)
