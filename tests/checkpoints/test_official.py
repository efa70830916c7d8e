import concurrent.futures
import errno
from dataclasses import replace

import numpy as np
import pytest

import tervit_np as tv
from data_tools import download
from data_tools.download import file_hash
from data_tools.lock import locked
from data_tools.mirrors import Mirror
from tervit_np.checkpoints import official
from tervit_np.models import CONFIGS


@pytest.fixture
def published(monkeypatch, tmp_path):
    """Register a small DeiT as official, with its file in a folder.  -> the file."""
    monkeypatch.setenv("TERVIT_DATA", str(tmp_path / "data"))
    monkeypatch.setitem(CONFIGS, "small", tv.DeiTConfig(8, 4, 3, 8, 1, 2))
    file = tmp_path / "small-00000000.pth"
    tv.save_safetensors(tv.create_model("small").state_dict(), file)  # recognised by its content
    digest = file_hash(file, "sha256")[:8]
    monkeypatch.setitem(official.OFFICIAL, "small", Mirror(file.as_uri(), None, "sha256", digest))
    return file


def test_weights_are_downloaded_checked_and_found(published, tmp_path):
    with pytest.raises(ValueError, match="tervit data get-weights small.*--from FILE"):
        official.find_weights("small")
    file = official.fetch_weights("small")
    assert file == tmp_path / "data" / "weights" / published.name == official.find_weights("small")
    assert [p.name for p in file.parent.iterdir()] == [file.name]
    tv.pretrained(file)
    published.unlink()
    assert official.fetch_weights("small") == file  # not downloaded again


def test_weights_are_downloaded_by_one_process_at_a_time(published, tmp_path):
    folder = tmp_path / "data" / "weights"
    other_part = folder / ".download-tiny" / "tiny.pth.part"
    other_part.parent.mkdir(parents=True)
    other_part.write_bytes(b"of another model")
    with concurrent.futures.ThreadPoolExecutor() as other, locked(folder, published.name):
        call = other.submit(official.fetch_weights, "small")
        with pytest.raises(ValueError, match=rf"{published.name} is in use by process \d+; wait"):
            call.result()
    official.fetch_weights("small")
    assert other_part.exists()


def test_a_local_copy_is_accepted(published, tmp_path):
    assert official.fetch_weights("small", source=published).read_bytes() == published.read_bytes()
    converted = tmp_path / "converted.safetensors"
    tv.save_safetensors(tv.load_checkpoint(published), converted)
    assert official.fetch_weights("small", tmp_path / "other", converted).exists()


def test_a_file_with_other_contents_is_refused(published, tmp_path):
    changed = tmp_path / "changed.pth"
    changed.write_bytes(published.read_bytes()[:-1] + b"x")
    with pytest.raises(
        ValueError, match="its SHA-256 begins with [0-9a-f]{8}, that of the official"
    ):
        official.fetch_weights("small", source=changed)
    published.write_bytes(changed.read_bytes())
    with pytest.raises(ValueError, match="its sha256 is .*, expected"):
        official.fetch_weights("small")
    assert not (tmp_path / "data" / "weights" / published.name).exists()


def test_a_full_disk_does_not_lose_the_download(published, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(official, "_copy_checked", full)
        with pytest.raises(OSError, match="No space left"):
            official.fetch_weights("small")
    monkeypatch.setattr(download, "_append", full)  # nothing is downloaded any more
    file = official.fetch_weights("small")
    assert file.read_bytes() == published.read_bytes()
    assert list(file.parent.iterdir()) == [file]


def test_a_failed_download_leaves_nothing_but_what_can_be_resumed(published, monkeypatch, tmp_path):
    folder = tmp_path / "data" / "weights"
    other = Mirror((tmp_path / "absent.pth").as_uri(), None, "sha256", "")
    with monkeypatch.context() as patch:
        patch.setitem(official.OFFICIAL, "small", other)
        with pytest.raises(ValueError, match="the download failed"):
            official.fetch_weights("small")
    assert not (tmp_path / "data").exists()
    with monkeypatch.context() as patch:
        patch.setitem(CONFIGS, "other", CONFIGS["small"])
        patch.setitem(CONFIGS, "small", replace(CONFIGS["small"], dim=16))
        with pytest.raises(ValueError, match="holds the weights of other, not of small"):
            official.fetch_weights("small")
    assert not (tmp_path / "data").exists()
    with pytest.raises(ValueError, match="no such file"):
        official.fetch_weights("small", source=tmp_path / "absent.pth")
    assert not (tmp_path / "data").exists()
    content = published.read_bytes()
    part = folder / ".download-small" / f"{published.name}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(content[:100])
    published.rename(tmp_path / "away")
    with pytest.raises(ValueError, match="the download failed"):
        official.fetch_weights("small")
    assert part.read_bytes() == content[:100]
    (tmp_path / "away").rename(published)
    official.fetch_weights("small")
    assert [file.name for file in folder.iterdir()] == [published.name]


def test_weights_of_another_model_are_refused(published, tmp_path):
    other = tmp_path / "other.safetensors"
    tv.save_safetensors(tv.create_model("deit_shapes").state_dict(), other)
    with pytest.raises(ValueError, match="holds the weights of deit_shapes, not of small"):
        official.fetch_weights("small", source=other)


def test_unknown_names_and_absent_files_are_refused():
    with pytest.raises(ValueError, match="no official weights of 'vgg'; there are deit_tiny"):
        official.fetch_weights("vgg")
    with pytest.raises(ValueError, match=r"nowhere\.pth: no such file"):
        official.fetch_weights("swin_tiny_patch4_window7_224", source="nowhere.pth")


def test_every_official_file_belongs_to_a_model():
    assert set(official.OFFICIAL) <= set(CONFIGS)
    for name, mirror in official.OFFICIAL.items():
        assert mirror.file.startswith(name)
        assert mirror.file.endswith(f"{mirror.digest}.pth")


def test_swin_needs_no_digest(monkeypatch, tmp_path):
    """No digests of its files are published: only the structure is checked."""
    small, large = CONFIGS["swin_cifar"], CONFIGS["swin_tiny_patch4_window7_224"]
    monkeypatch.setitem(CONFIGS, "swin_cifar", large)
    monkeypatch.setitem(CONFIGS, "swin_tiny_patch4_window7_224", small)
    state = tv.create_model("swin_tiny_patch4_window7_224").state_dict()
    tv.save_safetensors(state, tmp_path / "any.pth")
    file = official.fetch_weights("swin_tiny_patch4_window7_224", tmp_path, tmp_path / "any.pth")
    np.testing.assert_array_equal(tv.load_checkpoint(file)["norm.bias"], state["norm.bias"])
