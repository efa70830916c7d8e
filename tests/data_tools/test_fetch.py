import os
import shutil

import numpy as np
import pytest

from data_tools import DataError, fetch, get, load
from data_tools.cifar import read_cifar
from data_tools.download import file_hash
from data_tools.mirrors import Origin


@pytest.fixture
def offered(monkeypatch, tiny, tmp_path, tar_of):
    """Let the origin of cifar10 be an archive in a folder.  -> the archive."""
    archive = tar_of(tiny.pictures(tmp_path / "cifar"), tmp_path / "cifar10.tgz")
    origin = Origin(
        archive.as_uri(), archive.stat().st_size, "sha256", file_hash(archive, "sha256")
    )
    monkeypatch.setitem(fetch.ORIGINS, "cifar10", (origin,))
    return archive


def count_reads(monkeypatch, name):
    """Count the calls of read_cifar that a module makes."""
    calls = []

    def counting(*args):
        calls.append(args[1])
        return read_cifar(*args)

    monkeypatch.setattr(f"data_tools.{name}.read_cifar", counting)
    return calls


def test_downloaded_checked_and_cached(offered, tmp_path):
    train, test = get("cifar10")
    assert (len(train), len(test)) == (50, 20)
    assert isinstance(train.images, np.memmap)
    assert (tmp_path / "data" / "cifar10.tgz").exists()


def test_what_is_here_is_not_downloaded_again(offered):
    get("cifar10")
    offered.unlink()
    assert len(get("cifar10")[0]) == 50


def test_the_copy_that_is_here_already_is_loaded(offered, tmp_path):
    get("cifar10", source=offered)
    assert len(get("cifar10", source=tmp_path / "data" / "cifar10.tgz")[1]) == 20


def test_a_folder_is_not_got(tmp_path):
    with pytest.raises(DataError, match="there is nothing to get"):
        get(f"folder:{tmp_path}")


def test_a_copy_is_decoded_once(monkeypatch, offered):
    calls = count_reads(monkeypatch, "getting")
    later = count_reads(monkeypatch, "sources")
    train, _ = get("cifar10", source=offered)
    assert isinstance(train.images, np.memmap)
    load("cifar10", "test")
    assert (calls, later) == (["train", "test"], [])


def test_another_root(offered, tmp_path):
    get("cifar10", tmp_path / "stick", offered)
    assert (tmp_path / "stick" / "cifar10.tgz").exists()
    assert not (tmp_path / "data").exists()
    assert len(load("cifar10", "test", tmp_path / "stick")) == 20


def test_a_copy_of_another_form_is_refused_as_well(tiny, offered, tmp_path):
    tiny.binary(tmp_path / "data" / "cifar-10-batches-bin")
    with pytest.raises(DataError, match="cifar-10-batches-bin is there already"):
        get("cifar10", source=offered)


def test_a_copy_of_another_set(offered):
    with pytest.raises(DataError, match="train/airplane is no class of this set"):
        get("cifar100", source=offered)


def test_an_interrupted_copy_leaves_nothing(offered, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        get("cifar10", source=offered)
    assert not list((tmp_path / "data").iterdir())


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be blocked by a file there")
@pytest.mark.parametrize("own", [False, True])
def test_a_folder_that_cannot_be_written(offered, tmp_path, own):
    (tmp_path / "blocked").write_text("")
    with pytest.raises(DataError, match="blocked cannot be written; set TERVIT_DATA"):
        get("cifar10", tmp_path / "blocked", offered if own else None)
