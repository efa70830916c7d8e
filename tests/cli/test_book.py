"""`tervit book`: what it refuses, what it calls, and what it writes; Sphinx is played by a stub."""

import argparse
import zipfile
from pathlib import Path

import pytest

from tervit_np.cli import book

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder that looks like a clone, in which the command is called."""
    (tmp_path / "docs" / "book").mkdir(parents=True)
    (tmp_path / "docs" / "book" / "conf.py").write_text("")
    monkeypatch.chdir(tmp_path / "docs")
    return tmp_path


@pytest.fixture
def sphinx(monkeypatch):
    """A Sphinx that writes one page; `code` is its exit code, `calls` how it was called."""

    class Stub:
        code = 0

        def __call__(self, command, **settings):
            self.calls.append((command, settings))
            pages = Path(command[-1])
            pages.mkdir(parents=True, exist_ok=True)
            (pages / "index.html").write_text("the book")
            (pages / ".buildinfo").write_text("not for readers")
            return self

        def wait(self):
            self.calls.append("wait")
            if self.code == "Ctrl-C":
                self.code = 2
                raise KeyboardInterrupt
            return self.code

    stub = Stub()
    stub.calls = []
    monkeypatch.setattr(book, "find_spec", lambda name: True)
    monkeypatch.setattr(book.subprocess, "Popen", stub)
    return stub


def test_absent_packages_are_named_with_what_to_do(tervit, clone, monkeypatch):
    monkeypatch.setattr(book, "find_spec", lambda name: None if name == "furo" else True)
    code, out, error = tervit("book", "--no-open")
    assert (code, out) == (2, "")
    assert error.splitlines() == [
        "tervit book: the book needs packages that are not installed here (furo); in the clone "
        "run: pip install '.[docs]'"
    ]


def test_outside_a_clone_it_says_where_to_go(tervit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(book, "__file__", str(tmp_path / "site" / "tervit_np" / "cli" / "book.py"))
    code, _, error = tervit("book")
    assert code == 2
    assert "neither this folder nor one above it is a clone" in error
    assert len(error.splitlines()) == 1


def test_in_the_clone_of_the_package_the_folder_does_not_matter(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert book._repository() == ROOT


def test_sphinx_runs_on_the_code_of_the_clone(tervit, clone, sphinx, monkeypatch):
    monkeypatch.setenv("TERVIT_SEED", "3")
    code, out, _ = tervit("book", "--no-open")
    assert code == 0
    assert out == f"book: {clone / 'build' / 'book' / 'html' / 'index.html'}\n"
    [(command, settings), _] = sphinx.calls
    assert command[1:5] == ["-m", "sphinx", "-q", "-W"]
    assert 1 <= int(command[command.index("-j") + 1]) <= 4
    assert settings["env"]["PYTHONPATH"].startswith(str(clone))
    assert "TERVIT_SEED" not in settings["env"]


def test_the_number_of_processes_can_be_chosen(tervit, clone, sphinx):
    assert tervit("book", "--no-open", "--processes", "1")[0] == 0
    command = sphinx.calls[0][0]
    assert command[command.index("-j") + 1] == "1"


def test_after_ctrl_c_sphinx_stops_its_processes_first(tervit, clone, sphinx):
    sphinx.code = "Ctrl-C"
    with pytest.raises(KeyboardInterrupt):
        book.run(argparse.Namespace(out=None, processes=2))
    assert sphinx.calls[1:] == ["wait", "wait"]


def test_the_zip_has_the_pages_in_one_folder(tervit, clone, sphinx, tmp_path):
    code, out, _ = tervit("book", "--no-open", "--zip", "--out", tmp_path / "pages")
    assert code == 0
    assert out.endswith(f"zip: {tmp_path / 'tervit-book.zip'}\n")
    with zipfile.ZipFile(tmp_path / "tervit-book.zip") as archive:
        assert archive.namelist() == ["tervit-book/index.html"]


def test_a_book_with_warnings_is_shown_and_fails(tervit, clone, sphinx):
    sphinx.code = 1
    code, out, error = tervit("book", "--no-open")
    assert code == 1
    assert out.startswith("book: ")
    assert error == "Something is wrong in it; the warnings above say what.\n"


def test_a_build_that_ends_early_is_one_sentence(tervit, clone, sphinx):
    sphinx.code = 2
    code, _, error = tervit("book", "--no-open")
    assert code == 2
    assert error == "tervit book: the book could not be built (Sphinx, above, ended with 2)\n"


@pytest.mark.parametrize(("display", "opened"), [(":0", 1), ("", 0)])
def test_a_browser_opens_where_there_is_a_screen(
    tervit, clone, sphinx, monkeypatch, display, opened
):
    calls = []
    monkeypatch.setattr("webbrowser.open", calls.append)
    monkeypatch.setattr(book.sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert tervit("book")[0] == 0
    assert len(calls) == opened
