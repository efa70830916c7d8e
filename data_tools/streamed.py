"""Data sets whose pictures stay on disk and are decoded when they are needed.

    imagenet:PATH,OPTION=VALUE,...    a folder of pictures
    shards:PATH,OPTION=VALUE,...      a folder of tar archives (shards.py)

    size=224             side in pixels
    classes=N or LIST    the first N classes, or a+b+c, or a file with one class per line
    per_class=N          the first N pictures of each class
    test=X               this fraction of each class is the test split, in a folder without one;
                         for imagenet: only

A folder of pictures has the layout of ImageNet, Imagenette or Tiny-ImageNet (see folders.py).
Evaluation uses the official crop; unreadable pictures are skipped and counted.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

import numpy as np

from data_tools.class_names import is_number
from data_tools.crops import center_crop
from data_tools.imageset import Array, DataError, split_by_class
from data_tools.listing import Listing, list_pictures
from data_tools.paths import expand_user
from data_tools.pictures import open_picture
from data_tools.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from data_tools.set_names import fraction, split_options
from data_tools.shards import list_shards

_FOLDER, _SHARDS = "imagenet:", "shards:"
PREFIXES = (_FOLDER, _SHARDS)
_counting = Lock()  # evaluation reads a set in several threads, and += is no single step
_OPTIONS = {
    _FOLDER: ("size", "classes", "per_class", "test"),
    _SHARDS: ("size", "classes", "per_class"),
}


@dataclass(frozen=True, eq=False)
class StreamedSet:
    """One split on the disk. Has the interface of ImageSet, but stores places only."""

    name: str
    split: str
    listing: Listing
    size: int
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    kinds: Counter[str] = field(default_factory=Counter)  # of the pictures, each time they are read
    unreadable: dict[str, None] = field(default_factory=dict)  # a message each, however often read
    held_out: str = ""  # how the pictures were drawn, if they are held out of another split

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
        return self._with(self.listing.take(indices))

    def relabel(self, labels: Sequence[int], classes: tuple[str, ...]) -> "StreamedSet":
        """Return the same pictures with new classes: class i becomes labels[i]."""
        return self._with(self.listing.relabel(labels, classes))

    def _with(self, listing: Listing) -> "StreamedSet":
        """Return a set of other pictures or classes, which counts what is read by itself."""
        return replace(self, listing=listing, kinds=Counter(), unreadable={})

    def hold_out(self, count: int, seed: int) -> tuple["StreamedSet", "StreamedSet"]:
        """Split off `count` random pictures, of each class its share.  -> remaining, held out.

        Raises
        ------
        DataError
            If a class would lose all its pictures, or none is held out.
        """
        remaining, held_out = split_by_class(self, count, seed)
        drawn = replace(self.take(held_out), split="val", held_out=f"by class, seed {seed}")
        return self.take(remaining), drawn

    def pixels(self, indices: Array) -> tuple[Array, Array]:
        """Return evaluation crops, uint8 (n, S, S, 3), and whether each was readable (n,)."""
        out = np.zeros((len(indices), self.size, self.size, 3), np.uint8)
        readable = np.zeros(len(indices), bool)
        for row, i in enumerate(indices):
            source, folder = self.listing.source(int(i)), self.listing.path
            try:
                picture, kind = open_picture(source.read(folder), str(folder / str(source)))
            except (DataError, OSError) as error:
                self.unreadable[str(error)] = None
                continue
            with _counting:
                self.kinds[kind] += 1
            out[row], readable[row] = center_crop(picture, self.size), True
        return out, readable

    def summary(self) -> str:
        """Return how many pictures of each kind were read, and the first error."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kinds.most_common())
        kinds = kinds or "none read"
        if not self.unreadable:
            return f"{kinds}; none unreadable"
        first = next(iter(self.unreadable))
        return f"{kinds}; {len(self.unreadable)} unreadable, the first: {first}"


def read_streamed(name: str, split: str, root: Path | None = None) -> StreamedSet:
    """List one split.

    Raises
    ------
    NoSuchSplit
        If there is no such split.
    DataError
        If the name has an unknown option, or the folder lacks a class that it names.
    """
    path, options = parse_streamed(name)
    if is_sharded(name):
        listing = list_shards(path, split, root)
    else:
        listing = list_pictures(path, split, root, fraction(name, options.get("test", "0")))
    if "classes" in options:
        listing = listing.select_classes(_class_names(options["classes"], listing.classes))
    if "per_class" in options:
        listing = listing.first_per_class(_positive_int(name, options["per_class"]))
    return StreamedSet(name, split, listing, _positive_int(name, options.get("size", "224")))


def parse_streamed(name: str) -> tuple[Path, dict[str, str]]:
    """Split "imagenet:PATH,OPTION=VALUE".  -> path, options."""
    prefix = _SHARDS if is_sharded(name) else _FOLDER
    path, options = split_options(name, prefix, _OPTIONS[prefix])
    return expand_user(path), options


def is_sharded(name: str) -> bool:
    """Whether the set is a folder of tar archives."""
    return name.startswith(_SHARDS)


def _positive_int(name: str, text: str) -> int:
    if not is_number(text) or not 1 <= int(text) <= 10**6:
        raise DataError(f"{name}: {text!r} is not a positive whole number")
    return int(text)


def _class_names(text: str, classes: tuple[str, ...]) -> list[str]:
    """Return the classes that `text` names: how many, a file with one per line, or a+b+c.

    Raises
    ------
    DataError
        If there are fewer classes, or the file cannot be read.
    """
    if is_number(text):
        if not 1 <= int(text) <= len(classes):
            raise DataError(f"classes={text}; expected a number from 1 to {len(classes)}, or names")
        return list(classes[: int(text)])
    file = expand_user(text)
    if not file.is_file():
        return text.split("+")
    lines = [line.strip() for line in file.read_bytes().decode("utf-8-sig", "replace").splitlines()]
    return [line if line in classes else line.split()[0] for line in lines if line]
