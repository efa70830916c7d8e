"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) in every form they come in.

    binary    data_batch_1.bin ... test_batch.bin (CIFAR-100: train.bin, test.bin): records of one
              label byte (CIFAR-100: coarse and fine) and 3,072 bytes, channels first
    python    the same names without .bin: pickled dictionaries
    pictures  train/<class>/*.png and test/<class>/*.png, or JPEG

each in a folder or a tar archive. Labels follow the official order whatever the form.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.cifar_classes import CIFAR10, CIFAR100
from data_tools.files import Files
from data_tools.imageset import Array, DataError, ImageSet, NoSuchSplit
from data_tools.pictures import decode_all, is_picture
from data_tools.unpickle import unpickle

COUNTS = {"train": 50_000, "test": 10_000}
_PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class Variant:
    """What sets CIFAR-10 and CIFAR-100 apart."""

    classes: tuple[str, ...]
    batches: dict[str, tuple[str, ...]]  # file names of each split, without .bin
    label_bytes: int  # the last of them is the label
    label_key: bytes  # in the python form
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


VARIANTS = {
    "cifar10": Variant(
        CIFAR10,
        {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)},
        1,
        b"labels",
        (0.4914, 0.4822, 0.4465),
        (0.2470, 0.2435, 0.2616),
    ),
    "cifar100": Variant(
        CIFAR100,
        {"train": ("train",), "test": ("test",)},
        2,
        b"fine_labels",
        (0.5071, 0.4865, 0.4409),
        (0.2673, 0.2564, 0.2762),
    ),
}


def read_cifar(name: str, split: str, files: Files) -> ImageSet:
    """Read one split of "cifar10" or "cifar100", in whichever form the files have.

    Raises
    ------
    NoSuchSplit
        If the split is not train or test.
    DataError
        If the files are of no known form, damaged, too few or mislabelled.
    """
    variant = VARIANTS[name]
    if split not in COUNTS:
        raise NoSuchSplit(f"{name} has no split {split!r}; it has train and test")
    names = files.names()
    bases = {Path(n).name for n in names}
    batches = variant.batches[split]
    if f"{batches[0]}.bin" in bases:
        images, labels = _batches(files, [f"{b}.bin" for b in batches], _binary, variant)
    elif batches[0] in bases:
        images, labels = _batches(files, list(batches), _python, variant)
    elif any(_picture_class(n, split) for n in names):
        images, labels = _pictures(files, names, split, variant)
    else:
        raise DataError(
            f"{files.place}: no {split} split of {name} found; expected {batches[0]}.bin, "
            f"{batches[0]}, or {split}/<class>/*.png"
        )
    _check(files.place, name, split, labels, len(variant.classes))
    return ImageSet(name, split, images, labels, variant.classes, variant.mean, variant.std)


def _batches(
    files: Files,
    wanted: list[str],
    parse: Callable[[bytes, str, Variant], tuple[Array, Array]],
    variant: Variant,
) -> tuple[Array, Array]:
    """Read batch files in their official order.  -> images (N, 32, 32, 3), labels (N,)."""
    found = {
        Path(n).name: (n, content) for n, content in files.read(lambda n: Path(n).name in wanted)
    }
    missing = [name for name in wanted if name not in found]
    if missing:
        raise DataError(f"{files.place}: {missing[0]} is missing; expected {', '.join(wanted)}")
    parts = []
    for name in wanted:
        path, content = found[name]
        pixels, labels = parse(content, f"{files.place}/{path}", variant)
        _check_labels(f"{files.place}/{path}", labels, len(variant.classes))
        parts.append((pixels, labels))
    images = np.concatenate([p[0] for p in parts]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.concatenate([p[1] for p in parts]).astype(np.int64)


def _binary(content: bytes, source: str, variant: Variant) -> tuple[Array, Array]:
    record = variant.label_bytes + _PIXELS
    if not content or len(content) % record:
        raise DataError(
            f"{source}: {len(content)} bytes are no whole number of {record}-byte records; the "
            "file is cut off or of another data set: get it again"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, record)
    return records[:, variant.label_bytes :], records[:, variant.label_bytes - 1]


def _python(content: bytes, source: str, variant: Variant) -> tuple[Array, Array]:
    batch = unpickle(content, source)
    pixels: Any = batch.get(b"data")
    labels: Any = batch.get(variant.label_key)
    shaped = isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.ndim == 2
    if not shaped or pixels.shape[1] != _PIXELS or not isinstance(labels, list):
        raise DataError(f"{source}: expected uint8 data (N, 3072) and {variant.label_key.decode()}")
    whole = all(isinstance(label, int) and abs(label) < 2**31 for label in labels)
    if len(labels) != len(pixels) or not whole:
        raise DataError(f"{source}: {len(pixels)} images, but not as many whole-number labels")
    return pixels, np.array(labels, np.int64)


def _pictures(files: Files, names: list[str], split: str, variant: Variant) -> tuple[Array, Array]:
    """Read pictures whose folder is their class."""
    order = {name: i for i, name in enumerate(variant.classes)}
    mine = {n: c for n in names if (c := _picture_class(n, split)) is not None}
    unknown = sorted(set(mine.values()) - set(order))
    if unknown:
        raise DataError(
            f"{files.place}: {split}/{unknown[0]} is no class of this set; expected "
            f"{', '.join(variant.classes[:3])}, ... {variant.classes[-1]}"
        )
    images, read = decode_all(files.read(mine.__contains__), len(mine), str(files.place), 32, True)
    labels = np.array([order[mine[n]] for n in read], np.int64)
    by_name = np.argsort(np.array(read))  # an archive may hold its files in any order
    return images[by_name], labels[by_name]


def _picture_class(name: str, split: str) -> str | None:
    """Return the class of <split>/.../<class>/picture, None for any other file.

    Copies of CIFAR-100 have folders of coarse classes in between, and it has a class called train.
    """
    *folders, file = name.split("/")
    named = [i for i, folder in enumerate(folders) if folder in COUNTS]
    if not is_picture(file) or not named or folders[named[0]] != split:
        return None
    return folders[-1] if named[0] < len(folders) - 1 else None


def _check_labels(source: str, labels: Array, classes: int) -> None:
    """Refuse labels that are none of the classes."""
    low, high = np.min(labels, initial=0), np.max(labels, initial=0)
    if low < 0 or high >= classes:
        raise DataError(
            f"{source}: its labels span {low}..{high}, expected 0..{classes - 1}; the file is "
            "damaged or of another data set: get it again"
        )


def _check(place: Path, name: str, split: str, labels: Array, classes: int) -> None:
    """Refuse other counts than the official ones, and unequal classes."""
    if len(labels) != COUNTS[split]:
        raise DataError(
            f"{place}: {len(labels)} {split} images, {name} has {COUNTS[split]}; get the set "
            f"again, or load a part of it as folder:{place}"
        )
    counts = Counter(labels.tolist())
    if len(set(counts.values())) > 1:
        label, least = min(counts.items(), key=lambda item: item[1])
        raise DataError(
            f"{place}: class {label} has {least} {split} images, expected "
            f"{COUNTS[split] // classes}: some images are mislabelled"
        )
