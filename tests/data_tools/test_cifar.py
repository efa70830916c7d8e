import os
import pickle
import tarfile

import numpy as np
import pytest

import data_tools
from data_tools import DataError, NoSuchSplit
from data_tools.cifar import CIFAR10, CIFAR100, read_cifar
from data_tools.files import open_files

FORMS = ["binary", "python", "pictures"]


def assert_equal_sets(images, tiny, split):
    """Pictures come sorted by class; compare as sets of (label, image)."""
    expected = sorted(zip(tiny.labels[split], map(bytes, tiny.images[split]), strict=True))
    assert sorted(zip(images.labels, map(bytes, images.images), strict=True)) == expected
    assert images.classes == CIFAR10
    assert images.images.dtype == np.uint8


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_every_form_gives_the_same_images(tiny, tmp_path, form, split):
    folder = getattr(tiny, form)(tmp_path / "cifar")
    assert_equal_sets(read_cifar("cifar10", split, open_files(folder)), tiny, split)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz"])
def test_every_form_in_an_archive(tiny, tmp_path, tar_of, form, suffix):
    archive = tar_of(getattr(tiny, form)(tmp_path / "cifar"), tmp_path / f"cifar10{suffix}")
    assert_equal_sets(read_cifar("cifar10", "train", open_files(archive)), tiny, "train")


def test_pictures_keep_one_order_whatever_that_of_the_archive(tiny, tmp_path):
    folder = tiny.pictures(tmp_path / "cifar")
    files = sorted(folder.rglob("*.png"), reverse=True)
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for file in files:
            archive.add(file, file.relative_to(tmp_path))
    one, two = (read_cifar("cifar10", "train", open_files(p)) for p in (folder, tmp_path / "x.tar"))
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.labels, two.labels)


def test_a_picture_outside_the_class_folders_is_ignored(tiny, tmp_path, png):
    folder = tiny.pictures(tmp_path / "cifar")
    (folder / "train" / "preview.png").write_bytes(png())
    assert len(read_cifar("cifar10", "train", open_files(folder))) == 50


def test_the_letter_case_of_folders_does_not_count(tiny, tmp_path):
    folder = tiny.pictures(tmp_path / "cifar")
    for split in ("train", "test"):
        for one in (folder / split).iterdir():
            one.rename(one.with_name(one.name.title()))
        (folder / split).rename(folder / split.upper())
    assert_equal_sets(read_cifar("cifar10", "test", open_files(folder)), tiny, "test")


@pytest.mark.parametrize("form", ["binary", "python"])
def test_two_batches_of_one_name_are_refused(tiny, tmp_path, form):
    folder = getattr(tiny, form)(tmp_path / "cifar")
    getattr(tiny, form)(folder / "copy")
    with pytest.raises(DataError, match="which of .*data_batch_1.* is to be read"):
        read_cifar("cifar10", "train", open_files(folder))


def test_an_unknown_split_is_refused(tiny, tmp_path):
    files = open_files(tiny.binary(tmp_path / "cifar"))
    with pytest.raises(NoSuchSplit, match="no split 'val'; it has train and test"):
        read_cifar("cifar10", "val", files)


def cut_binary(folder):
    file = folder / "data_batch_3.bin"
    file.write_bytes(file.read_bytes()[:-5])


def lose_batch(folder):
    (folder / "data_batch_3.bin").unlink()


def label_out_of_range(folder):
    file = folder / "data_batch_2.bin"
    file.write_bytes(b"\x0b" + file.read_bytes()[1:])


def mislabel(folder):
    file = folder / "data_batch_2.bin"
    file.write_bytes(b"\x05" + file.read_bytes()[1:])


def use_half_of_the_classes(folder):
    """The others have no image, and these twice as many each."""
    for file in folder.glob("data_batch_*.bin"):
        records = np.frombuffer(file.read_bytes(), np.uint8).reshape(-1, 3073).copy()
        records[:, 0] //= 2
        file.write_bytes(records.tobytes())


def lose_records(folder):
    file = folder / "data_batch_2.bin"
    file.write_bytes(file.read_bytes()[: 3 * 3073])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut_binary, "data_batch_3.bin: 30725 bytes are not a multiple of the 3073-byte record"),
        (lose_batch, "data_batch_3.bin is missing"),
        (label_out_of_range, r"data_batch_2.bin: labels from 0 to 11, expected 0 to 9"),
        (mislabel, "mislabelled"),
        (use_half_of_the_classes, "class 5 has 0 train images, expected 5"),
        (lose_records, "43 train images, but cifar10 has 50"),
    ],
)
def test_damaged_binary_files_are_refused_before_caching(tiny, tmp_path, damage, words):
    folder = tiny.binary(tmp_path / "data" / "cifar10")
    damage(folder)
    with pytest.raises(DataError, match=words):
        data_tools.load("cifar10", "train")
    assert not list((tmp_path / "data").glob("decoded/*"))  # the cache is untouched


def cut_picture(folder):
    file = next(folder.glob("train/cat/*.png"))
    file.write_bytes(file.read_bytes()[:200])


def wrong_size(folder, png):
    next(folder.glob("train/cat/*.png")).write_bytes(png(33, 32))


def unknown_class(folder):
    os.rename(folder / "train" / "cat", folder / "train" / "kitten")


def move_one(folder):
    file = next(folder.glob("train/cat/*.png"))
    os.rename(file, folder / "train" / "dog" / "moved.png")


def test_damaged_pictures_are_refused(tiny, tmp_path, png):
    cases = [
        (cut_picture, "train/cat/.*not a readable picture"),
        (lambda folder: wrong_size(folder, png), "the picture is 33 x 32, expected 32 x 32"),
        (unknown_class, "train/kitten is not a class of this set"),
        (move_one, "mislabelled"),
    ]
    for i, (damage, words) in enumerate(cases):
        folder = tiny.pictures(tmp_path / str(i))
        damage(folder)
        with pytest.raises(DataError, match=words):
            read_cifar("cifar10", "train", open_files(folder))


def test_a_damaged_pickle_is_refused(tiny, tmp_path):
    folder = tiny.python(tmp_path / "cifar")
    file = folder / "data_batch_1"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(DataError, match="data_batch_1: not a readable pickle"):
        read_cifar("cifar10", "train", open_files(folder))


def test_a_truncated_archive_is_refused(tiny, tmp_path, tar_of):
    archive = tar_of(tiny.binary(tmp_path / "cifar"), tmp_path / "cifar10.tar.gz")
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="not a readable tar archive, perhaps incomplete"):
        read_cifar("cifar10", "train", open_files(archive))


def test_a_folder_without_cifar_is_refused(tmp_path):
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(DataError, match="no train split of cifar10; expected data_batch_1"):
        read_cifar("cifar10", "train", open_files(tmp_path))


def test_cifar100_has_two_label_bytes(monkeypatch, tmp_path):
    monkeypatch.setattr("data_tools.cifar.COUNTS", {"train": 200, "test": 100})
    rng = np.random.default_rng(0)
    for split, n in (("train", 200), ("test", 100)):
        labels = np.stack([np.arange(n) % 20, np.arange(n) % 100], axis=1)
        pixels = rng.integers(0, 256, (n, 3072))
        records = np.concatenate([labels, pixels], axis=1).astype(np.uint8)
        (tmp_path / f"{split}.bin").write_bytes(records.tobytes())
    images = read_cifar("cifar100", "test", open_files(tmp_path))
    np.testing.assert_array_equal(images.labels, np.arange(100))
    assert len(images.classes) == len(set(images.classes)) == 100


def test_cifar100_may_have_folders_of_coarse_classes(monkeypatch, tmp_path, png):
    """Its class called train is not mistaken for the split."""
    monkeypatch.setattr("data_tools.cifar.COUNTS", {"train": 200, "test": 100})
    for split, each in (("train", 2), ("test", 1)):
        for i, name in enumerate(CIFAR100):
            folder = tmp_path / "cifar100" / split / f"coarse_{i % 20}" / name
            folder.mkdir(parents=True)
            for k in range(each):
                (folder / f"{k}.png").write_bytes(png())
    images = read_cifar("cifar100", "test", open_files(tmp_path))
    assert sorted(images.labels.tolist()) == list(range(100))
    assert len(read_cifar("cifar100", "train", open_files(tmp_path))) == 200


@pytest.mark.parametrize("label", [-1, 10, 2**31, 2**70, 1.0, "1", None])
def test_wrong_labels_in_the_python_form_are_refused(tiny, tmp_path, label):
    folder = tiny.python(tmp_path / "cifar")
    file = folder / "data_batch_4"
    content = pickle.loads(file.read_bytes())
    content[b"labels"][3] = label
    file.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(DataError, match="data_batch_4: .*(labels from|one integer label)"):
        read_cifar("cifar10", "train", open_files(folder))


REAL = os.environ.get("TERVIT_DATA")  # read before a fixture hides it


@pytest.mark.skipif(
    not REAL or not any(k.name == "cifar10" and k.path for k in data_tools.list_datasets(REAL)),
    reason="TERVIT_DATA has no cifar10",
)
def test_the_real_cifar10_has_the_published_statistics():
    images = data_tools.load("cifar10", "test", REAL)
    assert images.images.shape == (10_000, 32, 32, 3)
    mean = images.images.mean(axis=(0, 1, 2)) / 255
    np.testing.assert_allclose(mean, images.mean, atol=0.01)
    assert np.bincount(images.labels).tolist() == [1000] * 10
