"""The picture of CONTRIBUTING.md shows the layers of the import rule."""

import importlib.util
from pathlib import Path

import pytest

from tests.analysis.report.page_layout import MEASURE

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def architecture():
    file = ROOT / "docs" / "make_architecture.py"
    spec = importlib.util.spec_from_file_location("architecture", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_shows_every_layer_of_the_import_rule(architecture):
    shown = architecture.PICTURE.read_text(encoding="utf-8")
    for names in architecture.layers():
        for name in names:
            assert f">{name}</text>" in shown, name


def test_every_package_is_in_a_layer(architecture):
    package = ROOT / "tervit_np"
    layered = {name for names in architecture.layers() for name in names}
    found = {file.parent.name for file in package.glob("*/__init__.py")}
    found |= {file.stem for file in package.glob("*.py") if not file.stem.startswith("__")}
    assert found == layered


def test_the_picture_is_drawn(architecture, tmp_path):
    architecture.draw(tmp_path / "x.svg")
    assert "</svg>" in (tmp_path / "x.svg").read_text(encoding="utf-8")


def test_words_cover_no_others(architecture, browser, tmp_path):
    page = tmp_path / "page.html"
    picture = architecture.PICTURE.read_text(encoding="utf-8")
    page.write_text(f'<meta charset="utf-8"><body>{picture}', "utf-8")
    browser.open(page)
    found = browser.run(MEASURE)
    assert found["labels"] > 30
    assert (found["cut"], found["covered"]) == ([], [])
