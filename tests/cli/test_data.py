import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("TERVIT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


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
    assert out.splitlines()[1] == "shapes val: 1000 images, 10 classes"
    assert len(list((tmp_path / "stick" / "decoded").iterdir())) == 3
    assert not (tmp_path / "data").exists()
    assert str(tmp_path / "stick") in tervit("data", *root)[1]


def test_show_draws_pictures_of_a_folder(tervit, pictures, tmp_path):
    out = tmp_path / "mine.png"
    code, text, _ = tervit("data", "show", f"folder:{pictures}", "--split", "test", "--out", out)
    assert (code, text) == (0, f"{out}: one row for each of bright, dark\n")
    page = np.asarray(Image.open(out).convert("L"))
    assert page[: len(page) // 2].mean() > page[len(page) // 2 :].mean() + 20


def test_show_draws_examples_of_each_class(tervit, tmp_path):
    code, out, _ = tervit("data", "show", "shapes", "--split", "val", "--out", tmp_path / "x.png")
    assert code == 0
    assert "disk, square" in out
    pixels = np.asarray(Image.open(tmp_path / "x.png"))
    assert pixels.shape[0] == 10 * 34 * 2
    assert pixels.std() > 20


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
