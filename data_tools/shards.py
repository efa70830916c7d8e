"""Training data in tar shards, the layout of WebDataset (Aizman et al. 2019).

    name-000000.tar:   0001.jpg  0001.cls  0002.jpg  0002.cls  ...
    classes.txt        names of the classes, one to a line; without it they are numbers

The members of a sample follow each other and have one name up to its first dot. Its picture is the
member with the ending of a picture, its label the decimal number in the member .cls; other members
are not read. The archives are read once, for the places and labels of the pictures (24 bytes each),
and nothing is unpacked: a picture is then read from its place. So the order of pictures is that of
every other data set, a permutation of all, and a resumed run needs only the number of its step.
"""

import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_tools.counted import counted
from data_tools.decompression import is_compressed
from data_tools.files import cache_name
from data_tools.imageset import Array, DataError, NoSuchSplit
from data_tools.index_file import Form, store, stored
from data_tools.listing import Listing
from data_tools.picture_formats import is_picture, needs_ending
from data_tools.progress import Progress
from data_tools.shard_names import Shards, find_shards
from data_tools.sources import TarMembers
from data_tools.tar import Member, entries
from data_tools.terminal import note

CLASSES = "classes.txt"
_FORM = Form(1, ("<i4", "<i8", "<i4", "<i4"))  # archive, offset, size, label of each picture
_MOST_CLASSES = 1_000_000
_LARGEST_LIST = 100 * _MOST_CLASSES  # bytes of names
_LARGEST = 2**31 - 1  # bytes of a picture, as the index stores them
_LABEL = re.compile(rb"\s*(\d{1,6})\s*")


class _Pictures(NamedTuple):
    """The pictures of all shards of a folder, in the order of these."""

    archive: Array  # int32 (N,)
    offset: Array  # int64 (N,)
    size: Array  # int32 (N,)
    label: Array  # int32 (N,)


def list_shards(path: Path, split: str, root: Path | None = None) -> Listing:
    """List the pictures of one split of a folder of shards, from the index if it is valid.

    Raises
    ------
    NoSuchSplit
        If the folder has no such split.
    DataError
        If there are no shards, one is damaged, a picture has no label, or no class has
        the label of one.
    """
    shards = find_shards(path)
    if split not in shards.splits:
        has = " and ".join(shards.splits)
        raise NoSuchSplit(f"{path} has no split {split!r}; its shards are of {has}")
    archives = tuple(name for names in shards.splits.values() for name in names)
    pictures = _cached(path, archives, root)
    classes = _classes(path, pictures.label)
    first = archives.index(shards.splits[split][0])
    last = first + len(shards.splits[split])
    selected = np.flatnonzero((pictures.archive >= first) & (pictures.archive < last))
    if shards.before_gap:
        note(f"{path}: the shard after {shards.before_gap} is missing")
    places = TarMembers(archives, *pictures[:3])
    return Listing(path, places, selected, pictures.label[selected].astype(np.int64), classes)


def describe(shards: Shards) -> Iterator[str]:
    """Say which shards each split has."""
    for split, names in shards.splits.items():
        yield f"  {split:<5}  {counted(len(names), 'shard', 9)}, {names[0]} to {names[-1]}"
    if shards.val_is_test:
        yield "  val serves as test: there is no other test split"


def _cached(path: Path, archives: tuple[str, ...], root: Path | None) -> _Pictures:
    name = f"{cache_name(path)}-shards"
    stats = [(path / archive).stat() for archive in archives]
    state = [[a, s.st_size, s.st_mtime_ns] for a, s in zip(archives, stats, strict=True)]

    def accept(header: dict[str, Any], arrays: list[Array]) -> _Pictures | None:
        if header["archives"] != state:
            return None
        pictures = _Pictures(*arrays)
        _check(pictures, np.array([s.st_size for s in stats]))
        return pictures

    if (pictures := stored(name, root, _FORM, accept)) is not None:
        return pictures
    pictures = _scan(path, archives)
    store(name, root, _FORM, {"archives": state}, list(pictures))
    return pictures


def _check(pictures: _Pictures, archive_sizes: Array) -> None:
    """Raise ValueError if a picture is outside its archive, or a label out of range."""
    if len({len(column) for column in pictures}) > 1 or len(pictures.archive) == 0:
        raise ValueError("its columns differ in length")
    archive, offset, size, label = pictures
    if archive.min() < 0 or archive.max() >= len(archive_sizes) or (np.diff(archive) < 0).any():
        raise ValueError("an archive is out of range")
    ends_inside = (offset <= archive_sizes[archive] - size).all()
    if offset.min() < 0 or size.min() < 0 or not ends_inside:
        raise ValueError("a picture is outside its archive")
    if label.min() < 0 or label.max() >= _MOST_CLASSES:
        raise ValueError("a label is out of range")


def _scan(path: Path, archives: tuple[str, ...]) -> _Pictures:
    """Read all shards for the places and labels of their pictures."""
    columns = _Pictures(*map(array, "iqii"))  # type: ignore[arg-type]  # arrays that grow
    progress = Progress(len(archives))
    for number, archive in enumerate(archives):
        for offset, size, label in _samples(path / archive):
            for column, value in zip(columns, (number, offset, size, label), strict=True):
                column.append(value)  # type: ignore[attr-defined]
        if progress.due(number + 1):
            left = progress.time_left(number + 1)
            progress.show(
                f"listing {path}: {number + 1} of {counted(len(archives), 'shard')}, {left}"
            )
    progress.end()
    if not len(columns.archive):
        raise DataError(f"{path}: no pictures in its shards; expected members as 0001.jpg")
    return _Pictures(*(np.array(c, k) for c, k in zip(columns, _FORM.kinds, strict=True)))


def _samples(file: Path) -> Iterator[tuple[int, int, int]]:
    """Yield offset, size and label of each picture of a shard."""
    if is_compressed(file):
        raise DataError(f"{file} is compressed; unpack it, so that pictures can be read from it")
    key, name = "", ""  # of the sample, and of its picture
    place, label = None, None
    for member, content in entries(file, lambda name: name.endswith(".cls")):
        sample, ending = _key(member.name)
        if sample != key:
            if place is not None:
                yield *place, _required(label, file, name)
            key, name, place, label = sample, "", None, None
        if content is not None:
            label = _parsed(content, file, member.name)
        elif member.is_plain and "." not in ending and is_picture(f".{ending}"):
            if place is not None:
                raise DataError(f"{file}: {name} and {member.name} are pictures of one sample")
            _check_picture(file, member)
            name, place = member.name, (member.offset, member.size)
    if place is not None:
        yield *place, _required(label, file, name)


def _check_picture(file: Path, member: Member) -> None:
    """Refuse a member that cannot be read as a picture from its place alone."""
    if needs_ending(member.name):
        raise DataError(
            f"{file}: {member.name} has a format that its bytes do not show, and names are not "
            "kept; convert it to JPEG or PNG"
        )
    if member.size > _LARGEST:
        raise DataError(
            f"{file}: {member.name} has {member.size} bytes; expected a picture of at most "
            f"{_LARGEST}"
        )


def _key(name: str) -> tuple[str, str]:
    """Split a member's name at the first dot of its last part.  -> sample, ending."""
    folder, slash, base = name.rpartition("/")
    stem, _, ending = base.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()


def _parsed(content: bytes, file: Path, name: str) -> int:
    """Read a label; DataError if it is no number."""
    match = _LABEL.fullmatch(content)
    if match is None:
        shown = content[:20].decode(errors="replace")
        raise DataError(f"{file}: {name} contains {shown!r}; expected the number of a class")
    return int(match[1])


def _required(label: int | None, file: Path, name: str) -> int:
    if label is None:
        raise DataError(f"{file}: {name} has no label; expected a member {_key(name)[0]}.cls")
    return label


def _classes(path: Path, labels: Array) -> tuple[str, ...]:
    """Read the names of the classes, or number them."""
    count = int(labels.max()) + 1
    file = path / CLASSES
    if not file.is_file():
        return tuple(map(str, range(count)))
    with open(file, "rb") as opened:
        content = opened.read(_LARGEST_LIST + 1)
    if len(content) > _LARGEST_LIST:
        raise DataError(f"{file} has more than {_LARGEST_LIST} bytes; expected names of classes")
    lines = content.decode("utf-8-sig", "replace").splitlines()
    names = tuple(line.strip() for line in lines if line.strip())
    if len(names) < count:
        raise DataError(
            f"{file} has {counted(len(names), 'class')}, and there is a label {count - 1}"
        )
    if len(set(names)) < len(names):
        raise DataError(f"{file}: a class occurs twice")
    return names
