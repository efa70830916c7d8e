"""docs/surfaces.md says what is stored, and its figures are there."""

import importlib.util
import re
from pathlib import Path

import pytest
from PIL import Image

from tervit_np.analysis.surfaces.results import read_surfaces

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("surfaces", ROOT / "docs" / "make_surfaces.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_number_is_made_from_the_stored_results(script):
    found = read_surfaces(script.STORE)
    text = script.PAGE.read_text(encoding="utf-8")
    assert script.rewrite(text, "measured", script.measured(found)) == text
    assert (found.settings.data, found.settings.grid) == ("cifar10", 21)
    assert found.settings.images >= 512


def test_each_figure_has_its_caption(script):
    page = script.PAGE.read_text(encoding="utf-8")
    captions = re.findall(r"\]\(surface_\w+\.png\)\n\n(.+)\n", page)
    same = read_surfaces(script.STORE).same
    assert captions == [script.text.stacked_caption(same), script.text.interpolation_caption()]


def test_figures_are_there_and_small(script):
    for name in ("stacked", "interpolation"):
        file = script.DOCS / f"surface_cifar10_{name}.png"
        assert f"]({file.name})" in script.PAGE.read_text(encoding="utf-8")
        assert file.stat().st_size < 250_000
        with Image.open(file) as picture:
            assert picture.width > 800
    assert script.STORE.stat().st_size < 100_000
