import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("TERVIT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("data_tools.shapes.COUNTS", {"train": 20, "val": 30, "test": 10})


def test_data_lists_the_sets(tervit, tmp_path):
    code, out, _ = tervit("data")
    assert code == 0
    assert str(tmp_path / "data") in out
    assert out.count("absent") == 2


@pytest.mark.parametrize("position", ["before", "after"])
def test_root_is_accepted_before_and_after_the_action(tervit, tmp_path, position):
    root = ("--root", tmp_path / "stick")
    args = (*root, "get", "shapes") if position == "before" else ("get", "shapes", *root)
    code, out, _ = tervit("data", *args)
    assert code == 0
    assert out.splitlines()[1] == "shapes val: 30 images, 10 classes"
    assert len(list((tmp_path / "stick" / "decoded").iterdir())) == 3
    assert not (tmp_path / "data").exists()
    assert str(tmp_path / "stick") in tervit("data", *root)[1]


def test_show_draws_pictures_of_a_folder(tervit, pictures, tmp_path):
    out = tmp_path / "mine.png"
    code, text, _ = tervit("data", "show", f"folder:{pictures}", "--split", "test", "--out", out)
    assert code == 0
    assert text.splitlines() == [
        f"{pictures}: splits in ./",
        "  train         96 pictures in train/",
        "  test          32 pictures in test/",
        "2 classes, sorted by name: bright, dark",
        "train: 2 classes with 48 pictures",
        "test: 2 classes with 16 pictures",
        "nothing left out",
        f"{out}: one row for each of bright, dark",
    ]
    page = np.asarray(Image.open(out).convert("L"))
    assert page[: len(page) // 2].mean() > page[len(page) // 2 :].mean() + 20


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("folder:PATH", "mine.png"),
        ("folder:PATH/", "mine.png"),
        ("folder:PATH/.", "mine.png"),
        ("folder:mine/", "mine.png"),
    ],
)
def test_the_drawing_has_the_name_of_the_folder(
    tervit, pictures, tmp_path, monkeypatch, name, file
):
    monkeypatch.chdir(tmp_path)
    Path("mine").symlink_to(pictures)
    code, text, _ = tervit("data", "show", name.replace("PATH", str(tmp_path / "mine")))
    assert code == 0
    assert Path(file).is_file()
    assert f"{file}: one row for each of bright, dark" in text


def test_a_drawing_is_not_called_a_jpeg(tervit, tmp_path):
    code, out, error = tervit("data", "show", "shapes", "--out", tmp_path / "x.jpg")
    assert (code, out) == (2, "")
    assert error.endswith("x.jpg; expected a name that ends in .png\n")


@pytest.mark.skipif(os.name == "nt", reason="makes a folder whose name is a path of Windows")
def test_the_drawing_of_a_folder_on_windows_has_its_name(tervit, pictures, tmp_path, monkeypatch):
    """It was looked for in a folder called folder-C-\\photos, which does not exist."""
    monkeypatch.chdir(tmp_path)
    Path(r"C:\photos\mine").symlink_to(pictures)
    assert tervit("data", "show", r"folder:C:\photos\mine@16")[0] == 0
    assert Path("mine.png").is_file()


def test_show_draws_examples_of_each_class(tervit, tmp_path):
    code, out, _ = tervit("data", "show", "shapes", "--split", "val", "--out", tmp_path / "x.png")
    assert code == 0
    assert "disk, square" in out
    pixels = np.asarray(Image.open(tmp_path / "x.png"))
    assert pixels.shape[0] == 10 * 34 * 2
    assert pixels.std() > 20


def test_a_picture_that_cannot_be_written_leaves_the_old_one(tervit, tmp_path, monkeypatch):
    def full(image, file, *kind):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    (tmp_path / "x.png").write_bytes(b"old")
    code, _, error = tervit("data", "show", "shapes", "--out", tmp_path / "x.png")
    assert (code, error) == (
        2,
        f"tervit data: {tmp_path / 'x.png'} could not be written (No space left on device)\n",
    )
    assert [f.read_bytes() for f in tmp_path.iterdir() if f.is_file()] == [b"old"]


def test_show_prints_what_was_understood(tervit, tmp_path):
    """Splits under other names, a list of labels, what is left out, and a class of an odd name."""
    red = Image.new("RGB", (8, 8), (200, 0, 0))
    names = ["Train/1/a.png", "Train/10/b.jp2", "Train/2/c.tif", "Train/2/d.webp", "cover.png",
             "Valid/e.png", "Valid/f.png", "test/g.png", "Train/2/x.heic", "README"]  # fmt: skip
    for name in names:
        file = tmp_path / "set" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        red.save(file) if file.suffix not in ("", ".heic") else file.touch()
    (tmp_path / "set" / "Valid" / "val.txt").write_text("e.png 10\nf.png 1\n")
    args = ("show", f"imagenet:{tmp_path}/set,size=8,per_class=1", "--out", tmp_path / "x.png")
    code, text, error = tervit("data", *args)
    assert code == 0
    for line in (
        "  train          4 pictures in Train/",
        "  test           2 pictures in Valid/, labels from Valid/val.txt",
        "  test   the pictures in test/ have no labels and are not read",
        "  Valid/ serves as test: there is no other test split",
        "3 classes, sorted as numbers: 1, 2, 10",
        "train: 3 classes with 1 (10) to 2 (2) pictures",
        "left out: 1 .heic file (Train/2/x.heic)",
        "left out: 1 picture outside the class folders (cover.png)",
        "of these are chosen:",
        "  train          3 pictures of 3 classes",
    ):
        assert line in text.splitlines()
    assert "note: " in error and "1 .heic file (Train/2/x.heic)" in error


def test_show_says_which_pictures_are_drawn_black(tervit, tmp_path):
    (tmp_path / "set" / "cat").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "set" / "cat" / "good.png")
    (tmp_path / "set" / "cat" / "text.jpg").write_text("no picture")
    args = ("show", f"imagenet:{tmp_path}/set,size=8", "--out", tmp_path / "x.png")
    code, _, error = tervit("data", *args)
    assert code == 0
    assert "note: the black ones could not be read: 1 RGB; 1 unreadable, the first: " in error
    assert "text.jpg: not a readable picture" in error


@pytest.mark.parametrize("name", ["folder:SET.tar@8", "imagenet:SET,size=8"])
def test_show_draws_the_first_split_that_exists(tervit, pictures, tmp_path, name):
    (tmp_path / "set" / "val").mkdir(parents=True)
    for kind in ("bright", "dark"):
        shutil.copytree(pictures / "test" / kind, tmp_path / "set" / "val" / f"{kind}\x1b[31m")
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(tmp_path / "set", "set")
    name = name.replace("SET", str(tmp_path / "set"))
    code, text, _ = tervit("data", "show", name, "--out", tmp_path / "x.png")
    assert code == 0
    assert "2 classes, sorted by name: bright\\x1b[31m, dark\\x1b[31m" in text
    assert "val/ serves as test" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("get", "mnist"), "unknown data set 'mnist'"),
        (("get", "cifar10", "--from", "no/such/file.tar"), "no such file or folder"),
        (("show", "cifar10"), "cifar10 is not in"),
    ],
)
def test_wrong_names_and_files_are_refused(tervit, args, words):
    code, _, error = tervit("data", *args)
    assert (code, len(error.splitlines())) == (2, 1)
    assert words in error
