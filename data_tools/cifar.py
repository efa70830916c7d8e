"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) in each of their three published forms.

    binary    data_batch_1.bin ... test_batch.bin (CIFAR-100: train.bin, test.bin): records of one
              label byte (CIFAR-100: coarse and fine) and 3,072 bytes, channels first
    python    the same names without .bin: pickled dictionaries
    pictures  train/<class>/*.png and test/<class>/*.png, or JPEG

each in a folder or a tar archive. All three give labels in the official order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.cifar_classes import CIFAR10, CIFAR100
from data_tools.counted import counted
from data_tools.files import Files
from data_tools.imageset import Array, DataError, ImageSet, NoSuchSplit
from data_tools.picture_formats import is_picture
from data_tools.pictures import decode_all
from data_tools.unpickle import unpickle

COUNTS = {"train": 50_000, "test": 10_000}
_PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class Spec:
    """In what CIFAR-10 and CIFAR-100 differ."""

    classes: tuple[str, ...]
    batches: dict[str, tuple[str, ...]]  # file names of each split, without .bin
    label_bytes: int  # per image in the binary form; the last one is the label
    label_key: str  # of the dictionary in the python form
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


CIFAR = {
    "cifar10": Spec(
        CIFAR10,
        {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)},
        1,
        "labels",
        (0.4914, 0.4822, 0.4465),
        (0.2470, 0.2435, 0.2616),
    ),
    "cifar100": Spec(
        CIFAR100,
        {"train": ("train",), "test": ("test",)},
        2,
        "fine_labels",
        (0.5071, 0.4865, 0.4409),
        (0.2673, 0.2564, 0.2762),
    ),
}


def read_cifar(name: str, split: str, files: Files) -> ImageSet:
    """Read one split of "cifar10" or "cifar100" from files of any form.

    Raises
    ------
    NoSuchSplit
        If the split is not train or test.
    DataError
        If the form is unknown, or files are missing, damaged or mislabelled.
    """
    spec = CIFAR[name]
    if split not in COUNTS:
        raise NoSuchSplit(f"{name} has no split {split!r}; it has train and test")
    names = files.names()
    base_names = {Path(n).name for n in names}
    batches = spec.batches[split]
    if f"{batches[0]}.bin" in base_names:
        images, labels = _read_batches(files, [f"{b}.bin" for b in batches], _parse_binary, spec)
    elif batches[0] in base_names:
        images, labels = _read_batches(files, list(batches), _parse_pickle, spec)
    elif any(_picture_class(n, split) for n in names):
        images, labels = _read_pictures(files, names, split, spec)
    else:
        raise DataError(
            f"{files.path}: no {split} split of {name}; expected {batches[0]}.bin, "
            f"{batches[0]}, or {split}/<class>/*.png"
        )
    _check_counts(files.path, name, split, labels, len(spec.classes))
    return ImageSet(name, split, images, labels, spec.classes, spec.mean, spec.std)


def _read_batches(
    files: Files,
    wanted: list[str],
    parse: Callable[[bytes, str, Spec], tuple[Array, Array]],
    spec: Spec,
) -> tuple[Array, Array]:
    """Read batch files in their official order.  -> images (N, 32, 32, 3), labels (N,)."""
    found = [n for n in files.names() if Path(n).name in wanted]
    for path, other in pairwise(sorted(found, key=lambda n: Path(n).name)):
        if Path(path).name == Path(other).name:
            raise DataError(f"{files.path}: which of {path} and {other} is to be read? Remove one")
    parts: dict[str, tuple[Array, Array]] = {}
    for path, content in files.read(lambda n: Path(n).name in wanted):
        pixels, labels = parse(content, f"{files.path}/{path}", spec)
        _check_labels(f"{files.path}/{path}", labels, len(spec.classes))
        images = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        parts[Path(path).name] = images, labels.astype(np.int64)
    missing = [name for name in wanted if name not in parts]
    if missing:
        raise DataError(f"{files.path}: {missing[0]} is missing; expected {', '.join(wanted)}")
    images, labels = (np.concatenate([parts[name][i] for name in wanted]) for i in (0, 1))
    return images, labels


def _parse_binary(content: bytes, source: str, spec: Spec) -> tuple[Array, Array]:
    record = spec.label_bytes + _PIXELS
    if not content or len(content) % record:
        raise DataError(
            f"{source}: {len(content)} bytes are not a multiple of the {record}-byte record; the "
            "file is incomplete or of another data set: download it again"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, record)
    return records[:, spec.label_bytes :], records[:, spec.label_bytes - 1]


def _parse_pickle(content: bytes, source: str, spec: Spec) -> tuple[Array, Array]:
    batch = unpickle(content, source)
    pixels: Any = batch.get("data")
    labels: Any = batch.get(spec.label_key)
    is_matrix = isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.ndim == 2
    if not is_matrix or pixels.shape[1] != _PIXELS or not isinstance(labels, list):
        raise DataError(f"{source}: expected uint8 data (N, 3072) and {spec.label_key}")
    are_integers = all(isinstance(label, int) and abs(label) < 2**31 for label in labels)
    if len(labels) != len(pixels) or not are_integers:
        raise DataError(
            f"{source}: expected one integer label for each of {counted(len(pixels), 'image')}"
        )
    return pixels, np.array(labels, np.int64)


def _read_pictures(files: Files, names: list[str], split: str, spec: Spec) -> tuple[Array, Array]:
    """Read pictures from class folders."""
    label = {name: i for i, name in enumerate(spec.classes)}
    class_of = {n: c for n in names if (c := _picture_class(n, split)) is not None}
    unknown = sorted(set(class_of.values()) - set(label))
    if unknown:
        raise DataError(
            f"{files.path}: {split}/{unknown[0]} is not a class of this set; expected "
            f"{', '.join(spec.classes[:3])}, ... {spec.classes[-1]}"
        )
    contents = files.read(class_of.__contains__)
    images, order = decode_all(contents, len(class_of), str(files.path), 32, True)
    labels = np.array([label[class_of[n]] for n in order], np.int64)
    by_name = np.argsort(np.array(order))  # archives have no fixed order
    return images[by_name], labels[by_name]


def _picture_class(name: str, split: str) -> str | None:
    """Return the class of <split>/.../<class>/picture, None for any other file.

    Letter cases do not count. The first folder named train or test is the split: CIFAR-100 has a
    class called train. Some of its copies also have folders of coarse classes in between.
    """
    *folders, file = name.lower().split("/")
    first = next((i for i, folder in enumerate(folders) if folder in COUNTS), None)
    if not is_picture(file) or first is None or folders[first] != split:
        return None
    return folders[-1] if first < len(folders) - 1 else None


def _check_labels(source: str, labels: Array, classes: int) -> None:
    """Raise DataError if a label is outside the classes."""
    low, high = np.min(labels, initial=0), np.max(labels, initial=0)
    if low < 0 or high >= classes:
        raise DataError(
            f"{source}: labels from {low} to {high}, expected 0 to {classes - 1}; the file is "
            "damaged or of another data set: download it again"
        )


def _check_counts(path: Path, name: str, split: str, labels: Array, classes: int) -> None:
    """Raise DataError if the number of images, or of those in a class, is not the official one."""
    if len(labels) != COUNTS[split]:
        raise DataError(
            f"{path}: {counted(len(labels), f'{split} image')}, but {name} has {COUNTS[split]}; "
            f"download the set again, or load an incomplete one as folder:{path}"
        )
    counts = np.bincount(labels, minlength=classes)
    if counts.min() < counts.max():
        label = int(counts.argmin())
        raise DataError(
            f"{path}: class {label} has {counted(int(counts[label]), f'{split} image')}, expected "
            f"{COUNTS[split] // classes}: some images are mislabelled"
        )
