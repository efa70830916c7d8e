import os

import pytest

from tervit_np.files import atomic_write, check_writable, make_folder, read_bounded, write_text


def test_text_is_written(tmp_path):
    write_text(tmp_path / "a.html", "first ±")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.html", "\ud800")
    assert (tmp_path / "a.html").read_text("utf-8") == "first ±"
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_the_old_file_survives_a_failed_write(tmp_path, stop):
    file = tmp_path / "x"
    file.write_text("old")
    with pytest.raises(type(stop)) as caught, atomic_write(file) as partial:
        partial.write(b"half of the n")
        raise stop
    assert str(caught.value) in ("", f"{file} could not be written (No space left on device)")
    assert getattr(caught.value, "errno", 28) == 28
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "x")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert [path.read_text() for path in (tmp_path / "elsewhere").iterdir()] == ["new"]


@pytest.fixture
def partials(monkeypatch):
    """Record the names of the partial files."""
    names = []
    replace = os.replace
    monkeypatch.setattr("os.replace", lambda old, new: (names.append(old), replace(old, new)))
    return names


def test_partial_files_have_other_names_each_time(tmp_path, partials):
    for _ in range(3):
        write_text(tmp_path / "x", "new")
    assert len(set(partials)) == 3
    assert all(name.parent == tmp_path and name.name.startswith(".x.") for name in partials)


@pytest.mark.parametrize("link", ["absent", "victim", "folder"])
def test_a_partial_file_is_never_opened_through_a_link(tmp_path, monkeypatch, link):
    """Even if its name is known: only a file that did not exist is written."""
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr("secrets.token_hex", lambda _: "known")
    (tmp_path / ".x.known.partial").symlink_to(tmp_path / link)
    with pytest.raises(OSError, match="x could not be written .File exists"):
        write_text(tmp_path / "x", "new")
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "x").exists() and not (tmp_path / "absent").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o400])
def test_a_file_keeps_its_permissions(tmp_path, mode):
    (tmp_path / "x").write_text("old")
    (tmp_path / "x").chmod(mode)
    with atomic_write(tmp_path / "x") as file:
        assert os.fstat(file.fileno()).st_mode & 0o777 == mode
        file.write(b"new")
    assert (tmp_path / "x").stat().st_mode & 0o777 == mode


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_new_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    write_text(tmp_path / "x", "new")
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_the_longest_name_can_be_written(tmp_path):
    for name in ("x" * 255, "ä" * 127):
        write_text(tmp_path / name, "new")
        assert (tmp_path / name).read_text() == "new"


def test_no_partial_file_has_a_part_of_a_character_in_its_name(tmp_path, partials):
    """Windows and macOS refuse such a name."""
    write_text(tmp_path / ("x" + "文" * 70), "new")
    assert partials[0].name.startswith(".x" + "文" * 66 + ".")


def test_contents_are_synced_before_the_rename(tmp_path, monkeypatch):
    """Or a power cut leaves the new name with nothing in it."""
    done = []
    monkeypatch.setattr("os.fsync", lambda file: done.append("contents"))
    replace = os.replace
    monkeypatch.setattr("os.replace", lambda *names: (done.append("name"), replace(*names)))
    write_text(tmp_path / "x", "new")
    assert done == ["contents", "name"]


def test_paths_that_cannot_be_written_are_refused(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    refused = {
        tmp_path: "is a folder; expected the name of a file",
        tmp_path / "pipe": "is not a regular file and is not replaced",
        tmp_path / "none" / "x": "there is no folder .*none",
    }
    for path, words in refused.items():
        for attempt in (check_writable, lambda path: write_text(path, "x")):
            with pytest.raises(OSError, match=words):
                attempt(path)
    check_writable(tmp_path / "x")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(OSError, match="x could not be written .its folder is read-only"):
        check_writable(tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_is_written_where_it_leads(tmp_path, monkeypatch):
    """Its own folder does not count: only that of the file is written to."""
    for folder in ("own", "other"):
        (tmp_path / folder).mkdir()
    links = {"new": "../other/new", "nowhere": "../none/x", "itself": "itself"}
    for name, target in links.items():
        (tmp_path / "own" / name).symlink_to(target)
    for name, words in {"nowhere": "there is no folder .*none", "itself": "in a circle"}.items():
        for attempt in (check_writable, lambda path: write_text(path, "x")):
            with pytest.raises(OSError, match=rf"own.{name} could not be written \(.*{words}"):
                attempt(tmp_path / "own" / name)
    monkeypatch.setattr("os.access", lambda folder, _: folder.name == "other")
    write_text(tmp_path / "own" / "new", "x")
    assert (tmp_path / "other" / "new").read_text() == "x"
    monkeypatch.setattr("os.access", lambda folder, _: folder.name == "own")
    with pytest.raises(OSError, match="its folder is read-only"):
        check_writable(tmp_path / "own" / "new")


def test_a_folder_that_cannot_be_made_is_named_with_the_reason(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    for path in ("file", "file/b"):
        with pytest.raises(OSError, match=r"^the folder .*file.* could not be made \(") as caught:
            make_folder(tmp_path / path)
        assert caught.value.errno
        assert "Errno" not in str(caught.value)


def test_of_a_file_without_end_little_is_read(tmp_path):
    (tmp_path / "x").write_bytes(b"1234")
    assert read_bounded(tmp_path / "x", 4) == b"1234"
    endless = ["/dev/zero"] if os.path.exists("/dev/zero") else []
    for path in (tmp_path / "x", *endless):
        with pytest.raises(ValueError, match="it has more than 3 bytes"):
            read_bounded(path, 3)
