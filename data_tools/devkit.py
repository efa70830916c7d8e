"""The order in which ILSVRC's development kit numbers the thousand classes, 1 to 1000.

It is not the sorted order that models use. The kit has it in meta.mat (2012) or map_clsloc.txt
(since 2014). meta.mat is a MATLAB file whose compressed part lists, class after class, the WordNet
id with other fields: the first thousand ids are the classes 1 to 1000.
"""

import re
import zlib
from itertools import islice
from pathlib import PurePosixPath

from data_tools.files import Files
from data_tools.imageset import DataError
from data_tools.wordnet import imagenet_classes

_HEADER, _TAG = 128, 8  # bytes of a MATLAB file's header, and of an element's type and size
_LARGEST = 8_000_000  # bytes of meta.mat, decompressed; its own are 0.7 million
_LARGEST_TEXT = 400_000  # bytes of map_clsloc.txt; its own are 30,000
_ID = re.compile(rb"n\d{8}")
_LINE = re.compile(r"(n\d{8})\s+(\d{1,4})\s")


def devkit_classes(files: Files) -> tuple[tuple[str, ...], str]:
    """Return the WordNet ids of the classes 1 to 1000, and the file that has them.

    Raises
    ------
    DataError
        If neither file is there, or it has other contents.
    """
    for name in files.names():
        base = PurePosixPath(name).name
        if base in ("meta.mat", "map_clsloc.txt"):
            ((_, content),) = files.read(name.__eq__)
            if len(content) > _LARGEST:
                raise DataError(f"{files.path}/{name}: {len(content)} bytes are too many")
            ids = _ids_in_mat(content) if base == "meta.mat" else _ids_in_text(content)
            if sorted(ids) != [id for id, _ in imagenet_classes()]:
                raise DataError(f"{files.path}/{name}: does not list ImageNet's thousand classes")
            return tuple(ids), name
    raise DataError(
        f"{files.path}: the ground truth numbers classes in the order of the development kit, and "
        "its meta.mat or map_clsloc.txt is not here; add it, or sort the pictures into one folder "
        "for each class"
    )


def _ids_in_mat(content: bytes) -> list[str]:
    """Return the first thousand WordNet ids, of characters of one or of two bytes."""
    try:
        body = zlib.decompressobj().decompress(content[_HEADER + _TAG :], _LARGEST)
    except zlib.error:
        body = content
    found = islice(_ID.finditer(body.replace(b"\0", b"")), 1000)
    return [match[0].decode() for match in found]


def _ids_in_text(content: bytes) -> list[str]:
    """Return the ids of lines as "n02119789 1 kit_fox", by their numbers."""
    lines = content[:_LARGEST_TEXT].decode("utf-8", "replace").splitlines()
    rows = [match for line in lines if (match := _LINE.match(line + " "))]
    return [row[1] for row in sorted(rows, key=lambda row: int(row[2]))]
