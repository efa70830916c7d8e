"""A small good file of each format of pictures and labels."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz import mutations as m
from tests.fuzz.format import Format, digest

PAX, GNU = tarfile.PAX_FORMAT, tarfile.GNU_FORMAT


def make_cifar(folder: Path) -> None:
    """Pickle a batch of pictures, as CIFAR's authors and as Python of today do."""
    import pickle

    pixels = np.arange(2 * 3072, dtype=np.uint8).reshape(2, 3072)
    batch = {b"data": pixels, b"labels": [3, 4], b"filenames": [b"a.png", b"b.png"]}
    for protocol in (0, 2, 5):
        (folder / f"batch_{protocol}").write_bytes(pickle.dumps(batch, protocol))


def read_cifar(file: Path) -> str:
    """Read a batch."""
    from data_tools.cifar import CIFAR, _parse_pickle

    return digest(*_parse_pickle(file.read_bytes(), str(file), CIFAR["cifar10"]))


def make_tar(name: str, mode: str, form: int) -> Callable[[Path], None]:
    """Pack a few files, one with a long name."""

    def make(folder: Path) -> None:
        with tarfile.open(folder / name, mode, format=form) as archive:
            for i, file in enumerate(("a/x.png", "b/" + "long" * 40 + ".png", "b/y.txt")):
                info = tarfile.TarInfo(file)
                info.size = 700 * i
                archive.addfile(info, io.BytesIO(bytes(range(i, i + 100)) * 7 * i))

    return make


def read_tar(folder: Path) -> str:
    """Read all members."""
    from data_tools.files import open_files

    files = open_files(next(folder.iterdir()))
    return digest(files.names(), sorted(files.read(lambda name: True)))


PICTURES = {
    "a.png": {}, "b.jpg": {}, "c.webp": {}, "d.gif": {}, "e.bmp": {}, "f.tif": {}, "g.ppm": {},
    "h.tga": {}, "i.ico": {}, "j.jp2": {}, "k.pcx": {}, "l.sgi": {}, "m.dds": {}, "n.qoi": {},
    "o.tif": {"compression": "tiff_deflate"}, "p.jpg": {"progressive": True}, "q.icns": {},
    "r.avif": {}, "s.png": {"exif": True}, "t.jpg": {"exif": True},
}  # fmt: skip


def make_pictures(folder: Path) -> None:
    """Save a picture in every format that Pillow writes."""
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    for name, options in PICTURES.items():
        given: dict[str, Any] = {**options, "exif": exif} if "exif" in options else options
        try:
            Image.fromarray(pixels).save(folder / name, **given)
        except (OSError, KeyError, ValueError):  # this Pillow cannot write it
            Image.fromarray(pixels).save(folder / name, "PNG")


def read_picture(file: Path) -> str:
    """Decode a picture."""
    from data_tools.pictures import decode

    return digest(decode(file.read_bytes(), str(file), 16))


LISTS = {
    "tiny/val/val_annotations.txt": "a.png\tant\t0\t0\t9\t9\nb.png\tbee\t0\t0\t9\t9\n",
    "kaggle/LOC_val_solution.csv": "ImageId,PredictionString\na,ant 0 0 9 9\nb,bee 0 0 9 9\n",
    "caffe/val.txt": "a.png 1\nb.png 0\n",
}


def make_lists(folder: Path) -> None:
    """Make data sets whose validation split is labelled by a list."""
    for name, text in LISTS.items():
        root = folder / Path(name).parts[0]
        for picture in ("train/ant/x.png", "train/bee/x.png", "val/a.png", "val/b.png"):
            (root / picture).parent.mkdir(parents=True, exist_ok=True)
            (root / picture).touch()
        (folder / name).write_text(text)


def read_list(file: Path) -> str:
    """Find the classes of the data set that the list is in."""
    from data_tools.files import Folder
    from data_tools.layout import find_layout

    root = next(p for p in (file.parent, *file.parents) if (p / "train").is_dir())
    return repr(find_layout(Folder(root)))


DATA = {
    "cifar": Format(make_cifar, read_cifar, (m.pickled,), single=True),
    "tar": Format(make_tar("x.tar", "w", PAX), read_tar, (m.tar_header,)),
    "tar.gz": Format(
        make_tar("x.tar.gz", "w:gz", GNU), read_tar,
        (m.compressed("gz", m.tar_header), m.compressed("gz", m.any_bytes)), checked=True,
    ),
    "tar.bz2": Format(
        make_tar("x.tar.bz2", "w:bz2", PAX), read_tar, (m.compressed("bz2", m.tar_header),),
        checked=True,
    ),
    "tar.xz": Format(
        make_tar("x.tar.xz", "w:xz", GNU), read_tar, (m.compressed("xz", m.tar_header),),
        checked=True,
    ),
    "pictures": Format(make_pictures, read_picture, (m.png_chunk,), single=True),
    "labels": Format(make_lists, read_list, (m.words,), "*/**/*.[tc][xs][tv]", single=True),
}  # fmt: skip
