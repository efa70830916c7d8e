"""What was understood of a data set: layout, splits, classes, counts, what is left out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from data_tools import streamed
from data_tools.class_names import first_few, is_number
from data_tools.counted import counted
from data_tools.datasets import load
from data_tools.files import open_files
from data_tools.folders import PREFIX, parse_name
from data_tools.holdout import read_layout
from data_tools.imageset import LabelledSet, NoSuchSplit
from data_tools.layout import Layout
from data_tools.left_out import left_out
from data_tools.set_names import fraction
from data_tools.shard_names import find_shards
from data_tools.shards import describe
from data_tools.split_names import SPLITS
from data_tools.wordnet import are_wordnet_ids, in_words

_SHOWN = 5  # classes


class Overview(NamedTuple):
    """The splits of a data set, and what was understood of it."""

    splits: tuple[str, ...]
    lines: list[str]


def overview(name: str, root: str | Path | None = None) -> Overview:
    """Describe a data set without decoding its pictures.

    Raises
    ------
    DataError
        If the set is unknown or absent, or its layout is not understood.
    """
    if name.startswith(PREFIX):
        folder = parse_name(name)
        return _of_files(folder.path, folder.test)
    if not name.startswith(streamed.PREFIXES) or streamed.is_sharded(name):
        return _of_sets(name, root)
    path, options = streamed.parse_streamed(name)
    whole = _of_files(path, fraction(name, options.get("test", "0")))
    if not options.keys() & {"classes", "per_class"}:
        return whole
    chosen = [load(name, split, root) for split in whole.splits]
    return Overview(whole.splits, [*whole.lines, "of these are chosen:", *_sizes(chosen)])


def _of_files(path: Path, test: float) -> Overview:
    """Describe a folder or an archive, of which a fraction `test` may be set aside."""
    files = open_files(path)
    layout = read_layout(files, test)
    counts = [_counts(name, layout.split(name).class_of.values()) for name in layout.splits]
    rest = [f"left out: {kind}" for kind in left_out(files, layout)] or ["nothing left out"]
    lines = [f"{path}: {layout.kind}", *_splits(layout), *_classes(layout.classes), *counts, *rest]
    return Overview(tuple(layout.splits), lines)


def _of_sets(name: str, root: str | Path | None) -> Overview:
    """Describe a set that has a name of its own."""
    sets: list[LabelledSet] = []
    for split in SPLITS:
        with suppress(NoSuchSplit):
            sets.append(load(name, split, root))
    lines = [f"{name}: {sets[0].size} x {sets[0].size} pixels", *_sizes(sets)]
    if streamed.is_sharded(name):
        lines += describe(find_shards(streamed.parse_streamed(name)[0]))
    lines += _classes(sets[0].classes)
    lines += [_counts(s.split, [s.classes[label] for label in s.labels]) for s in sets]
    return Overview(tuple(images.split for images in sets), lines)


def _sizes(sets: Sequence[LabelledSet]) -> Iterator[str]:
    for images in sets:
        classes = counted(len(images.classes), "class")
        yield f"  {images.split:<5}  {counted(len(images), 'picture', 9)} of {classes}"


def _splits(layout: Layout) -> Iterator[str]:
    """Describe each split: number of pictures, folder, where the labels are from."""
    for name, split in layout.splits.items():
        labels = f", labels from {' and '.join(split.lists)}" * bool(split.lists)
        pictures = counted(len(split.class_of), "picture", 9)
        yield f"  {name:<5}  {pictures} in {split.folder or './'}{labels}"
    for name, folder in layout.unlabelled.items():
        yield f"  {name:<5}  the pictures in {folder} have no labels and are not read"
    if layout.val_is_test:
        yield f"  {layout.splits['test'].folder} serves as test: there is no other test split"


def _classes(classes: tuple[str, ...]) -> Iterator[str]:
    """Describe the classes and their order."""
    kind = "sorted by name" if list(classes) == sorted(classes) else "in an order of their own"
    if all(map(is_number, classes)):
        kind = "sorted as numbers"
    elif are_wordnet_ids(classes):
        kind = "WordNet ids in official order"
    shown = first_few(in_words(classes), _SHOWN)
    yield f"{counted(len(classes), 'class')}, {kind}: {shown}"


def _counts(split: str, names: Iterable[str]) -> str:
    """Describe how many pictures the classes of a split have."""
    ranking = Counter(names).most_common()
    if not ranking:  # as of a shard without pictures, or of classes that only another split has
        return f"{split}: no pictures"
    (most, high), (least, low) = ranking[0], ranking[-1]
    span = counted(high, "picture")
    if low < high:
        span = f"{low:,} ({least}) to {high:,} ({most}) pictures"
    return f"{split}: {counted(len(ranking), 'class')} with {span}"
