"""The folder for a class without a network: what it has, and what its script refuses."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INSTALL = ROOT / "docs" / "teaching" / "class" / "install.py"


@pytest.fixture
def maker(monkeypatch, tmp_path):
    """The script, with a pip that writes empty wheels."""
    sys.path.append(str(ROOT / "docs"))
    import make_class_folder

    def pip(command, *arguments):
        folder = Path(arguments[arguments.index("-w" if command == "wheel" else "-d") + 1])
        folder.mkdir(exist_ok=True)
        name = "tervit_np-1-py3-none-any" if command == "wheel" else "numpy-2-cp39-cp39-any"
        (folder / f"{name}.whl").touch()
        calls.append((command, *map(str, arguments)))

    calls = []
    monkeypatch.setattr(make_class_folder, "_pip", pip)
    for name in ("BOOK", "SLIDES"):
        monkeypatch.setattr(make_class_folder, name, tmp_path / "nowhere")
    make_class_folder.calls = calls
    return make_class_folder


def test_a_folder_has_what_a_class_needs(maker, tmp_path, capsys):
    data = tmp_path / "cifar-10.tar.gz"
    data.touch()
    out = tmp_path / "class"
    for _ in range(2):  # the second replaces the first
        maker.make_class_folder(out, ["3.12:win_amd64"], [data])
    names = {file.relative_to(out).as_posix() for file in out.rglob("*")}
    chapters = {f"course/tutorials/{f.name}" for f in ROOT.glob("tutorials/[0-9]*.py")}
    figures = {f"course/docs/book/figures/{name}.html" for name in ("index", "vit")}
    others = {"START.txt", "install.py", "picture.png", "data/cifar-10.tar.gz"}
    assert chapters | figures | others <= names
    assert len([name for name in names if name.startswith("wheels/")]) == 2
    assert [call[0] for call in maker.calls] == ["wheel", "download", "download"] * 2
    assert "--python-version 3.12 --platform win_amd64" in " ".join(maker.calls[2])
    assert "without book: it is not built" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"class", "cifar-10.tar.gz"}


def test_wrong_requests_are_one_sentence(maker, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError, match="is not a class folder; name another one"):
        maker.make_class_folder(tmp_path / "mine", [], [])
    with pytest.raises(ValueError, match="--add: there is no file"):
        maker.make_class_folder(tmp_path / "class", [], [tmp_path / "absent"])
    with pytest.raises(ValueError, match="expected PYTHON:PLATFORM, such as"):
        maker.make_class_folder(tmp_path / "class", ["windows"], [])
    assert not (tmp_path / "class").exists()


def test_the_script_keeps_a_folder_that_exists(tmp_path):
    done = subprocess.run(
        [sys.executable, INSTALL, tmp_path], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"install.py: {tmp_path} exists; delete it, or name another")
