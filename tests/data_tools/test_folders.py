import numpy as np
import pytest
from PIL import Image

from data_tools import DataError, NoSuchSplit, load


def paint(path, level=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (12, 12), level).save(path)


@pytest.fixture
def photos(tmp_path):
    """Two class folders without splits."""
    for i, name in enumerate(("bee", "ant")):
        for k in range(3):
            paint(tmp_path / "photos" / name / f"{k}.png", 100 * i + k)
    return tmp_path / "photos"


@pytest.fixture
def tiny_imagenet(tmp_path):
    root = tmp_path / "tiny-imagenet-200"
    rows = []
    for i, name in enumerate(("n01", "n02", "n03")):
        for k in range(4):
            paint(root / "train" / name / "images" / f"{name}_{k}.JPEG", 60 * i)
    for k, i in enumerate((2, 0, 1, 1)):
        paint(root / "val" / "images" / f"val_{k}.JPEG", 60 * i)
        rows.append(f"val_{k}.JPEG\tn0{i + 1}\t0\t0\t62\t62\n")
    (root / "val" / "val_annotations.txt").write_text("".join(rows))
    paint(root / "test" / "images" / "test_0.JPEG")
    return root


@pytest.mark.parametrize("prefix", ["folder:", "imagenet:"])
def test_a_folder_with_the_longest_name_is_cached(photos, tmp_path, capsys, prefix):
    """Its caches have longer names than the folder, and a name has at most 255 bytes."""
    long = photos.rename(tmp_path / ("ü" * 127))
    assert len(load(f"{prefix}{long}", "train")) == 6
    assert capsys.readouterr().err == ""
    (cache,) = [*(tmp_path / "data").glob("*/*")]
    assert cache.name.startswith(("folder-üü", "üü"))


def test_class_folders_alone_form_one_split(photos):
    images = load(f"folder:{photos}", "train")
    assert images.classes == ("ant", "bee")
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1]
    with pytest.raises(NoSuchSplit, match=r"no split 'test'; it has train; expected .*test/<class"):
        load(f"folder:{photos}", "test")


def test_a_set_may_lack_training_pictures(tmp_path):
    """ImageNet's validation pictures alone, the usual test split."""
    paint(tmp_path / "imagenet" / "val" / "n02" / "x.JPEG")
    images = load(f"folder:{tmp_path}/imagenet", "test")
    assert (len(images), images.classes) == (1, ("n02",))
    with pytest.raises(NoSuchSplit, match="no split 'train'; it has test"):
        load(f"folder:{tmp_path}/imagenet", "train")


def test_tiny_imagenet_is_labelled_by_its_annotations(tiny_imagenet):
    """The pixels encode the labels; the unlabelled test pictures are ignored."""
    train, test = (load(f"folder:{tiny_imagenet}@8", split) for split in ("train", "test"))
    assert train.classes == test.classes == ("n01", "n02", "n03")
    assert np.bincount(train.labels).tolist() == [4, 4, 4]
    assert test.labels.tolist() == [2, 0, 1, 1]
    np.testing.assert_allclose(test.images[:, 0, 0, 0], 60 * test.labels, atol=3)


@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
def test_archives_are_read_like_folders(tiny_imagenet, tmp_path, tar_of, suffix):
    archive = tar_of(tiny_imagenet, tmp_path / f"tiny{suffix}")
    assert load(f"folder:{archive}", "test").labels.tolist() == [2, 0, 1, 1]
    assert len(load(f"folder:{archive}", "train")) == 12


def test_a_listed_but_missing_picture_is_refused(tiny_imagenet):
    (tiny_imagenet / "val" / "images" / "val_2.JPEG").unlink()
    with pytest.raises(DataError, match="val_annotations.txt: val_2.JPEG is missing; unpack"):
        load(f"folder:{tiny_imagenet}", "test")


def test_another_annotation_file_is_refused(tiny_imagenet):
    (tiny_imagenet / "val" / "val_annotations.txt").write_bytes(b"\xff\xfe\n")
    with pytest.raises(DataError, match="lists no picture"):
        load(f"folder:{tiny_imagenet}", "test")


def test_folders_of_one_name_are_two_sets(photos, tmp_path):
    for path in ("other/photos", "brother"):
        copy = tmp_path / path
        paint(copy / "wasp" / "0.png", 7)
        assert load(f"folder:{copy}", "train").classes == ("wasp",)
    assert len(load(f"folder:{photos}", "train")) == 6
    names = sorted(p.name.split("-")[1] for p in (tmp_path / "data" / "decoded").iterdir())
    assert names == ["brother", "photos", "photos"]


def test_a_changed_folder_replaces_its_cache(photos, tmp_path):
    load(f"folder:{photos}", "train")
    paint(photos / "bee" / "new.png")
    assert len(load(f"folder:{photos}", "train")) == 7
    assert len(list((tmp_path / "data" / "decoded").iterdir())) == 1
