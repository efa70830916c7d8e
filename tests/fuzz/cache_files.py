"""A small good file of each format of the caches of data."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz import mutations as m
from tests.fuzz.format import Format, digest


def toy_set() -> Any:
    """Return a set of five pictures."""
    from data_tools import ImageSet

    images = np.arange(5 * 4 * 4 * 3, dtype=np.uint8).reshape(5, 4, 4, 3)
    numbers = (0.5, 0.4, 0.3), (0.2, 0.2, 0.2)
    return ImageSet("toy", "train", images, np.arange(5) % 2, ("a", "b"), *numbers)


def read_cache(folder: Path) -> str:
    """Load a set through its cache, which is made if need be."""
    from data_tools.cache import cached

    found = cached(folder, "toy", "f1", toy_set)
    return digest(found.images, found.labels, found.classes, found.mean, found.std, found.split)


def make_cache(folder: Path) -> None:
    """Write the cache of a set."""
    read_cache(folder)


def cache_meta(content: bytes, rng: m.Generator) -> bytes:
    """Change the description of a cache, if that is the file."""
    return m.json_text(content, rng) if content.startswith(b"{") else m.npy_header(content, rng)


def repair_cache(folder: Path) -> None:
    """Write the checksum of a cache anew."""
    from data_tools.cache import _checksum

    file = folder / "decoded" / "toy-f1" / "meta.json"
    meta = json.loads(file.read_bytes())
    if isinstance(meta, dict):
        meta.pop("checksum", None)
        file.write_text(json.dumps({**meta, "checksum": _checksum(file.parent, meta)}))


def make_listing(folder: Path) -> None:
    """List a folder of pictures, which writes the cache."""
    for name in ("ant/0", "ant/1", "bee/0"):
        file = folder / "set" / "train" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    read_listing(folder)


def read_listing(folder: Path) -> str:
    """List a folder of pictures through the cache, which is made if need be."""
    from data_tools.listing import list_pictures

    found = list_pictures(folder / "set", "train", folder)
    return repr([found.name(i) for i in range(len(found))]) + digest(found.labels, found.classes)


def listing_header(content: bytes, rng: m.Generator) -> bytes:
    """Change the header of a listing."""
    line, _, body = content.partition(b"\n")
    return m.json_text(line, rng) + b"\n" + body


def listing_arrays(content: bytes, rng: m.Generator) -> bytes:
    """Change the names, offsets and labels of a listing."""
    line, _, body = content.partition(b"\n")
    return line + b"\n" + m.any_bytes(body, rng)


def repair_listing(folder: Path) -> None:
    """Write the checksum of a listing anew."""
    from data_tools.index_file import checksum

    (file,) = (folder / "indexes").iterdir()
    line, _, body = file.read_bytes().partition(b"\n")
    header = json.loads(line)
    if isinstance(header, dict):
        header.pop("checksum", None)
        text = json.dumps({**header, "checksum": checksum(header, body)})
        file.write_bytes(text.encode() + b"\n" + body)


def make_shards(folder: Path) -> None:
    """List tar shards, which writes the index."""
    (folder / "set").mkdir()
    with tarfile.open(folder / "set" / "train-0.tar", "w") as archive:
        for name, content in (
            ("1.png", b"picture"),
            ("1.cls", b"1"),
            ("2.png", b"x"),
            ("2.cls", b"0"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    read_shards(folder)


def read_shards(folder: Path) -> str:
    """List tar shards through the index, which is made if need be."""
    from data_tools.shards import list_shards

    found = list_shards(folder / "set", "train", folder)
    sources = [found.source(i) for i in range(len(found))]
    return repr([source.read(folder / "set") for source in sources]) + digest(found.labels)


CACHES = {
    "cache": Format(
        make_cache, read_cache, (cache_meta,), "decoded/*/*", checked=True, repair=repair_cache
    ),
    "listing": Format(
        make_listing, read_listing, (listing_header, listing_arrays), "indexes/*", checked=True,
        repair=repair_listing,
    ),
    "shards": Format(
        make_shards, read_shards, (listing_header, listing_arrays), "indexes/*", checked=True,
        repair=repair_listing,
    ),
}  # fmt: skip
