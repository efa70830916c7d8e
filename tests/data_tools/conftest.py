"""Small copies of CIFAR in all its forms; the expected counts are lowered to match."""

import io
import pickle
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_tools import cifar

TRAIN, TEST = 50, 20


class TinyCifar:
    """CIFAR-10 with 50 + 20 images, and writers of its forms."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.images = {
            s: rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
            for s, n in (("train", TRAIN), ("test", TEST))
        }
        self.labels = {s: np.arange(len(x)) % 10 for s, x in self.images.items()}

    def batches(self):
        """Yield (name, images, labels) of the official batch files."""
        for i in range(5):
            part = slice(10 * i, 10 * i + 10)
            yield f"data_batch_{i + 1}", self.images["train"][part], self.labels["train"][part]
        yield "test_batch", self.images["test"], self.labels["test"]

    def binary(self, folder):
        folder.mkdir(parents=True)
        for name, images, labels in self.batches():
            flat = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
            records = np.concatenate([labels[:, None].astype(np.uint8), flat], axis=1)
            (folder / f"{name}.bin").write_bytes(records.tobytes())
        return folder

    def python(self, folder):
        folder.mkdir(parents=True)
        for name, images, labels in self.batches():
            flat = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
            content = {b"data": np.ascontiguousarray(flat), b"labels": labels.tolist()}
            (folder / name).write_bytes(pickle.dumps(content, protocol=2))
        return folder

    def pictures(self, folder):
        for split, images in self.images.items():
            for i, (image, label) in enumerate(zip(images, self.labels[split], strict=True)):
                class_folder = folder / split / cifar.CIFAR10[label]
                class_folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(class_folder / f"{i:04}.png")
        return folder


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(cifar, "COUNTS", {"train": TRAIN, "test": TEST})
    for module in ("datasets", "fetch"):
        monkeypatch.setattr(f"data_tools.{module}.COUNTS", cifar.COUNTS)
    return TinyCifar()


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """Keep tests away from the user's caches and data."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "user-cache"))
    monkeypatch.setenv("TERVIT_DATA", str(tmp_path / "data"))


@pytest.fixture
def tar_of():
    """Pack a folder into a tar file of any compression."""

    def pack(folder, target):
        mode = {".tar": "w", ".bz2": "w:bz2", ".xz": "w:xz"}.get(target.suffix, "w:gz")
        with tarfile.open(target, mode) as archive:
            archive.add(folder, arcname=f"./{folder.name}")
        return target

    return pack


@pytest.fixture
def png():
    def encode(width=32, height=32, mode="RGB", **options):
        buffer = io.BytesIO()
        Image.new(mode, (width, height)).save(buffer, "PNG", **options)
        return buffer.getvalue()

    return encode


@pytest.fixture
def traced():
    """Return what a function returns and the most bytes that were allocated meanwhile."""

    def run(function):
        tracemalloc.start()
        try:
            return function(), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return run


class FilesInMemory:
    """A folder that is a dictionary, for tests of layouts."""

    path = Path("set")

    def __init__(self, contents):
        self.contents = contents

    def names(self):
        return sorted(self.contents)

    def read(self, wanted):
        return ((name, self.contents[name]) for name in filter(wanted, self.names()))

    def specials(self):
        return []

    def empty_folders(self):
        return []

    def fingerprint(self):
        return "none"


@pytest.fixture
def files_of():
    """Make a folder of these files: names, or names with contents; "*" stands for two pictures."""

    def make(*names, **contents):
        files = dict.fromkeys(names, b"") | {
            name.replace("__", "/"): text.encode() for name, text in contents.items()
        }
        for name in [name for name in files if "*" in name]:
            del files[name]
            files |= {name.replace("*", number): b"" for number in "12"}
        return FilesInMemory(files)

    return make
