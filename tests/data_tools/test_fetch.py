import concurrent.futures
import os
import shutil
from contextlib import contextmanager

import numpy as np
import pytest

from data_tools import DataError, fetch, fetch_dataset, load
from data_tools.cifar import read_cifar
from data_tools.download import file_hash
from data_tools.lock import locked
from data_tools.mirrors import Mirror


@pytest.fixture
def offered(monkeypatch, tiny, tmp_path, tar_of):
    """Let the mirror of cifar10 be an archive in a folder.  -> the archive."""
    archive = tar_of(tiny.pictures(tmp_path / "cifar"), tmp_path / "cifar10.tgz")
    mirror = Mirror(
        archive.as_uri(), archive.stat().st_size, "sha256", file_hash(archive, "sha256")
    )
    monkeypatch.setitem(fetch.MIRRORS, "cifar10", (mirror,))
    return archive


def count_reads(monkeypatch, name):
    """Count the calls of read_cifar that a module makes."""
    calls = []

    def counting(*args):
        calls.append(args[1])
        return read_cifar(*args)

    monkeypatch.setattr(f"data_tools.{name}.read_cifar", counting)
    return calls


def test_a_set_is_downloaded_checked_and_cached(offered, tmp_path):
    train, test = fetch_dataset("cifar10")
    assert (len(train), len(test)) == (50, 20)
    assert isinstance(train.images, np.memmap)
    assert (tmp_path / "data" / "cifar10.tgz").exists()


def test_a_present_set_is_not_downloaded_again(offered):
    fetch_dataset("cifar10")
    offered.unlink()
    assert len(fetch_dataset("cifar10")[0]) == 50


@pytest.mark.parametrize("imported", [True, False])
def test_a_set_is_fetched_by_one_process_at_a_time(offered, tmp_path, imported):
    root = tmp_path / "data"
    part = root / "cifar10.tgz.part"
    root.mkdir()
    part.write_bytes(b"what the other process has written")
    with concurrent.futures.ThreadPoolExecutor() as other, locked(root, "cifar10"):
        call = other.submit(fetch_dataset, "cifar10", source=offered if imported else None)
        with pytest.raises(ValueError, match=r"data.cifar10 is in use by process \d+; wait until"):
            call.result()
    assert part.read_bytes() == b"what the other process has written"
    assert [path.name for path in root.iterdir()] == [part.name]


def test_a_set_that_another_process_has_just_fetched_is_not_downloaded_again(offered, monkeypatch):
    @contextmanager
    def locked_late(folder, name):
        shutil.copyfile(offered, folder / "cifar10.tgz")  # while this process took the lock
        yield

    monkeypatch.setattr(fetch, "locked", locked_late)
    monkeypatch.setattr(fetch, "download", None)
    assert len(fetch_dataset("cifar10")[0]) == 50


def test_importing_the_present_copy_loads_it(offered, tmp_path):
    fetch_dataset("cifar10", source=offered)
    assert len(fetch_dataset("cifar10", source=tmp_path / "data" / "cifar10.tgz")[1]) == 20


def test_a_folder_needs_no_download(tmp_path):
    with pytest.raises(DataError, match="needs no download"):
        fetch_dataset(f"folder:{tmp_path}")


def test_a_set_that_is_drawn_has_no_copy(tmp_path):
    with pytest.raises(DataError, match=r"shapes is drawn by code, so that .*x\.tar would not"):
        fetch_dataset("shapes", source=tmp_path / "x.tar")


def test_a_copy_is_decoded_once(monkeypatch, offered):
    calls = count_reads(monkeypatch, "fetch")
    later = count_reads(monkeypatch, "datasets")
    train, _ = fetch_dataset("cifar10", source=offered)
    assert isinstance(train.images, np.memmap)
    load("cifar10", "test")
    assert (calls, later) == (["train", "test"], [])


def test_another_root_receives_the_set(offered, tmp_path):
    fetch_dataset("cifar10", tmp_path / "stick", offered)
    assert (tmp_path / "stick" / "cifar10.tgz").exists()
    assert not (tmp_path / "data").exists()
    assert len(load("cifar10", "test", tmp_path / "stick")) == 20


def test_a_copy_of_another_form_is_refused_too(tiny, offered, tmp_path):
    tiny.binary(tmp_path / "data" / "cifar-10-batches-bin")
    with pytest.raises(DataError, match="cifar-10-batches-bin exists already"):
        fetch_dataset("cifar10", source=offered)


def test_a_copy_of_another_set_is_refused(offered):
    with pytest.raises(DataError, match="train/airplane is not a class of this set"):
        fetch_dataset("cifar100", source=offered)


def test_a_copy_of_the_data_folder_itself_is_refused(tiny, tmp_path):
    data = tiny.binary(tmp_path / "data")
    with pytest.raises(DataError, match=f"move the files of the set into {data / 'cifar10'}"):
        fetch_dataset("cifar10", source=data)
    assert len(list(data.iterdir())) == 6


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_back_is_not_followed_without_end(tiny, tmp_path):
    folder = tiny.binary(tmp_path / "cifar")
    (folder / "back").symlink_to(folder)
    assert len(fetch_dataset("cifar10", source=folder)[0]) == 50
    assert len(list((tmp_path / "data" / "cifar10").iterdir())) == 6


def test_an_interrupted_copy_leaves_nothing(offered, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        fetch_dataset("cifar10", source=offered)
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be blocked by a file there")
@pytest.mark.parametrize("own", [False, True])
def test_a_read_only_folder_is_refused(offered, tmp_path, own):
    (tmp_path / "blocked").write_text("")
    with pytest.raises(DataError, match="blocked is not writable; set TERVIT_DATA"):
        fetch_dataset("cifar10", tmp_path / "blocked", offered if own else None)


def test_a_failed_download_leaves_no_empty_folder(offered, tmp_path):
    """Nor those around it that were made for it; one that was there stays."""
    offered.unlink()
    base = tmp_path / "new" / "data"
    with pytest.raises(DataError, match="the download failed"):
        fetch_dataset("cifar10", base)
    assert not (tmp_path / "new").exists()
    base.mkdir(parents=True)
    with pytest.raises(DataError, match="the download failed"):
        fetch_dataset("cifar10", base)
    assert base.is_dir()
