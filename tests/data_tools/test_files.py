import io
import os
import tarfile
from pathlib import Path

import pytest

from data_tools import DataError
from data_tools.files import Archive, Folder, cache_name, open_files


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "root"
    for name in ("b/two.txt", "a/one.txt", ".hidden", ".git/config", "decoded/x-1/meta.json"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    return root


def contents(files, wanted=lambda name: True):
    return dict(files.read(wanted))


def test_what_is_cached_of_a_long_name_begins_with_whole_characters():
    assert cache_name(Path("x" + "文" * 70)).startswith("x" + "文" * 53 + "-")


def test_a_folder_lists_its_data_files(folder):
    files = open_files(folder)
    assert files.names() == ["a/one.txt", "b/two.txt"]
    assert contents(files, "b/two.txt".__eq__) == {"b/two.txt": b"content of b/two.txt"}


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "a/new.txt").write_text(""),
        lambda root: (root / "a/one.txt").rename(root / "a/other.txt"),
        lambda root: (root / "a/one.txt").write_text("longer than it was before"),
        lambda root: os.utime(root / "a/one.txt", (1, 1)),
        lambda root: (root / "a/one.txt").unlink(),
    ],
)
def test_the_fingerprint_changes_with_every_file(folder, change):
    before = Folder(folder).fingerprint()
    assert Folder(folder).fingerprint() == before
    change(folder)
    assert Folder(folder).fingerprint() != before


def test_the_fingerprint_ignores_our_own_cache(folder):
    before = Folder(folder).fingerprint()
    (folder / "decoded/x-1/more.npy").write_text("x")
    assert Folder(folder).fingerprint() == before


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_are_followed_except_in_cycles(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "three.txt").write_text("3")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "a" / "back").symlink_to(folder)
    (folder / "a" / "broken").symlink_to(folder / "nowhere")
    (folder / "a" / "itself.txt").symlink_to("itself.txt")
    (folder / "first").symlink_to("second")
    (folder / "second").symlink_to("first")
    files = Folder(folder)
    assert files.names() == ["a/one.txt", "b/two.txt", "linked/three.txt"]
    assert sorted(files.specials()) == ["a/broken", "a/itself.txt", "first", "second"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_cycles_are_seen_from_a_folder_that_is_a_link(folder, tmp_path):
    (folder / "a" / "back").symlink_to(folder)
    (tmp_path / "link").symlink_to(folder)
    assert Folder(tmp_path / "link").names() == ["a/one.txt", "b/two.txt"]
    (folder / "a" / "back").unlink()
    (folder / "a" / "other").symlink_to(folder / "b")  # two links that lead to each other
    (folder / "b" / "other").symlink_to(folder / "a")
    expected = ["a/one.txt", "a/other/two.txt", "b/other/one.txt", "b/two.txt"]
    assert Folder(tmp_path / "link").names() == Folder(folder).names() == expected


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
def test_archives_of_every_compression_are_read(folder, tmp_path, tar_of, suffix):
    (folder / ".hidden").unlink()
    files = open_files(tar_of(folder, tmp_path / f"x{suffix}"))
    assert "root/a/one.txt" in files.names()
    wanted = {"root/a/one.txt", "root/b/two.txt"}
    assert contents(files, wanted.__contains__) == {
        "root/a/one.txt": b"content of a/one.txt",
        "root/b/two.txt": b"content of b/two.txt",
    }


def test_a_compressed_archive_may_have_a_plain_name(folder, tmp_path, tar_of):
    archive = tar_of(folder, tmp_path / "x.tgz").rename(tmp_path / "x.tar")
    assert contents(open_files(archive))["root/a/one.txt"] == b"content of a/one.txt"


@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
def test_only_plain_files_are_listed_and_nothing_is_unpacked(tmp_path, suffix):
    path = tmp_path / "in" / f"x{suffix}"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz" if suffix == ".tgz" else "w") as archive:
        for name, kind in (
            ("link", tarfile.SYMTYPE),
            ("hard", tarfile.LNKTYPE),
            ("device", tarfile.CHRTYPE),
            ("pipe", tarfile.FIFOTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        for name in ("../outside.txt", "/absolute.txt", "./plain.txt"):
            member = tarfile.TarInfo(name)
            member.size = 5
            archive.addfile(member, io.BytesIO(b"hello"))
    files = open_files(path)
    assert files.names() == ["/absolute.txt", "plain.txt"]
    assert set(contents(files).values()) == {b"hello"}
    assert [p.name for p in tmp_path.rglob("*")] == ["in", path.name]


@pytest.mark.parametrize("suffix", [".tar", ".tgz", ".tar.bz2", ".tar.xz"])
@pytest.mark.parametrize("fraction", [0.3, 0.6, 0.8])
def test_an_incomplete_archive_is_refused(tmp_path, tar_of, suffix, fraction):
    """Random content, so that every compression keeps its size."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "big.bin").write_bytes(os.urandom(60_000))
    path = tar_of(tmp_path / "root", tmp_path / f"x{suffix}")
    path.write_bytes(path.read_bytes()[: int(fraction * path.stat().st_size)])
    with pytest.raises(
        DataError, match=rf"x{suffix}: not a readable tar archive, perhaps incomplete"
    ):
        contents(open_files(path))


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "x.tar.gz"
    path.write_text("<html>Please log in to this network</html>")
    with pytest.raises(DataError, match="not a readable tar archive"):
        open_files(path).names()
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(DataError, match="expected a folder or an archive"):
        open_files(tmp_path / "x.txt")


def test_the_fingerprint_of_an_archive_includes_its_time(folder, tmp_path, tar_of):
    path = tar_of(folder, tmp_path / "x.tar")
    before = Archive(path).fingerprint()
    os.utime(path, (1, 1))
    assert Archive(path).fingerprint() != before


@pytest.mark.parametrize("name", ["decoded", "indexes"])
def test_a_class_called_like_our_cache_is_not_left_out(tmp_path, name):
    for file in (f"{name}/x.png", "other/y.png"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert Folder(tmp_path).names() == sorted([f"{name}/x.png", "other/y.png"])


ADDED = ("__MACOSX/d/._x.png", "d/._x.png", "._d", "d/.DS_Store", "d/@eaDir/x.jpg/THUMB.jpg",
         "d/Thumbs.db", "$RECYCLE.BIN/x.png", "lost+found/1.jpg", ".ipynb_checkpoints/x.png",
         "d/.ipynb_checkpoints/x-checkpoint.png")  # fmt: skip


@pytest.mark.parametrize("suffix", ["", ".tar", ".tar.gz", ".TAR"])
def test_what_systems_add_to_folders_and_archives_is_left_out(tmp_path, suffix):
    for name in (*ADDED, "d/x.png"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    path = tmp_path / f"root{suffix}"
    if suffix:
        with tarfile.open(path, "w:gz" if suffix == ".tar.gz" else "w") as archive:
            for name in (*ADDED, "d/x.png"):
                archive.add(tmp_path / "root" / name, name)
    files = open_files(path)
    assert files.names() == ["d/x.png"]
    assert contents(files) == {"d/x.png": b"x"}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_named(folder):
    (folder / "a").chmod(0)
    with pytest.raises(DataError, match="a: cannot be read"):
        Folder(folder)
    (folder / "a").chmod(0o700)


@pytest.mark.parametrize("name", ["x.zip", "x.RAR", "train.parquet"])
def test_other_archives_are_to_be_unpacked(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(DataError, match="expected a folder or an archive .*; unpack it into"):
        open_files(tmp_path / name)
