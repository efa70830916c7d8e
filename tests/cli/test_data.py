import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("TERVIT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_list(tervit, tmp_path):
    code, out, _ = tervit("data")
    assert code == 0
    assert str(tmp_path / "data") in out
    assert out.count("absent") == 2


def test_examples_are_drawn(tervit, tmp_path):
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
def test_refusals(tervit, args, words):
    code, _, error = tervit("data", *args)
    assert (code, len(error.splitlines())) == (2, 1)
    assert words in error
