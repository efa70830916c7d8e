import os
import tarfile
from pathlib import Path

import pytest

from data_tools import DataError, load
from data_tools.files import open_files
from data_tools.layout import find_layout
from data_tools.left_out import left_out, note_on, print_note


def said(files, below=""):
    return {str(kind).partition(" (")[0] for kind in left_out(files, find_layout(files), below)}


def test_everything_that_is_not_read_is_listed_by_kind(files_of):
    files = files_of(
        *("train/cat/*.jpg", "train/dog/*.jpg", "train/cover.png", "train/cat/x.heic"),
        *("train/cat/y.HEIC", "train/dog/boxes.txt", "test/*.jpg", "README", "train/dog/z"),
        val__val_annotations="",
    )
    assert said(files) == {
        "1 picture outside the class folders",
        "2 pictures without labels in test/",
        "2 .heic files",
        "1 .txt file",
        "1 file without an ending",  # README, which is no picture
        "2 files without an ending",
    }
    assert said(files, "test/") == {"2 pictures without labels in test/"}


def test_a_note_names_what_may_be_pictures_of_the_split(files_of):
    files = files_of("train/cat/*.jpg", "train/cat/x.heic", "train/cat/x.txt", "test/cat/*.jpg")
    layout = find_layout(files)
    assert note_on(files, layout, "train") == (
        "train split leaves out 1 .heic file (train/cat/x.heic)"
    )
    assert note_on(files, layout, "test") == ""


def test_lists_of_labels_are_read(files_of):
    files = files_of("train/a/*.jpg", "val/*.jpg", **{"val.txt": "1.jpg a\n2.jpg a\n"})
    assert said(files) == set()


@pytest.mark.parametrize("ending", ["heic", "HEIF", "eps", "svg", "CR2"])
@pytest.mark.parametrize("above", ["", "train/"])
def test_a_class_without_a_readable_picture_is_refused(files_of, ending, above):
    """Without it, the classes after it would get other labels."""
    files = files_of(f"{above}a/*.jpg", f"{above}b/1.{ending}", f"{above}c/*.jpg")
    with pytest.raises(DataError, match=f"{above}b/ has no picture that can be read here, but"):
        find_layout(files)
    files.contents[f"{above}b/x.png"] = b""
    assert find_layout(files).classes == ("a", "b", "c")


@pytest.mark.parametrize("kind", ["folder:", "imagenet:"])
def test_a_note_is_printed_by_each_process(tmp_path, png, capsys, kind):
    for name in ("a/1.png", "a/2.heic", "b/1.png"):
        file = tmp_path / "set" / "train" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png())
    os.symlink("nowhere", tmp_path / "set/train/b/2.png")
    (tmp_path / "set/train/empty").mkdir()
    note = "1 .heic file (train/a/2.heic), 1 link or special file (train/b/2.png), 1 empty fo"
    for _ in range(2):  # the second time from the cache
        load(f"{kind}{tmp_path}/set", "train")
        assert note in capsys.readouterr().err
        load(f"{kind}{tmp_path}/set", "train")
        assert capsys.readouterr().err == ""
        print_note.cache_clear()


@pytest.mark.parametrize("kind", ["folder:", "imagenet:"])
def test_a_cached_set_has_the_name_it_is_asked_for_by(tmp_path, png, capsys, monkeypatch, kind):
    """A run stores it: the name of whoever made the cache may lead nowhere from here."""
    for name in ("a/1.png", "a/2.heic", "b/1.png"):
        file = tmp_path / "set" / "train" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png())
    monkeypatch.chdir(tmp_path)
    print_note.cache_clear()
    for path in ("set", f"{tmp_path}/set"):
        assert load(f"{kind}{path}", "train").name == f"{kind}{path}"
        assert f"note: {Path(path)}, train split leaves out 1 .heic" in capsys.readouterr().err


def test_links_in_an_archive_are_named(tmp_path, png):
    (tmp_path / "x.png").write_bytes(png())
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(tmp_path / "x.png", "a/x.png")
        for name, kind in (("a/hard.png", tarfile.LNKTYPE), ("a/soft.png", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "a/x.png"
            archive.addfile(member)
    assert said(open_files(tmp_path / "set.tar")) == {"2 link or special files"}
