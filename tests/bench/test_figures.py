from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.lines import Line2D
from PIL import Image

from tervit_np.bench import figures
from tervit_np.bench.baselines import Comparison
from tervit_np.bench.models import ModelComparison
from tervit_np.bench.store import load_results
from tests.bench.test_store import LAYERS, TABLE, TIMES

DOCS = Path(__file__).parents[2] / "docs"


def test_figures_are_written(tmp_path):
    models = [ModelComparison("deit_small_patch16_224", 8, 2, TIMES | {"packed": TIMES["ternary"]})]
    paths = [
        figures.ratios(LAYERS, tmp_path / "ratios.png"),
        figures.model_ratios(models, tmp_path / "models.png"),
        figures.roofline(TABLE, LAYERS, tmp_path / "roofline.png"),
        figures.roofline(TABLE, [], tmp_path / "without layers.png"),
    ]
    for path in paths:
        with Image.open(path) as picture:
            assert picture.size[0] > 1000


@pytest.fixture
def roofline(tmp_path, monkeypatch):
    """Draw the roofline of stored measurements.  -> its figure."""

    def draw(family):
        drawn = []
        monkeypatch.setattr(figures, "save", lambda figure, path: drawn.append(figure) or path)
        results = load_results(DOCS / f"bench_{family}.json")
        figures.roofline(results.variants, results.layers, tmp_path / "roofline.png", "Zen")
        drawn[0].draw_without_rendering()
        return drawn[0]

    return draw


@pytest.mark.parametrize("family", ["zen2", "zen4"])
def test_names_in_a_roofline_are_apart_and_inside(roofline, family):
    figure = roofline(family)
    texts = [text for axes in figure.axes for text in axes.texts if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    for box, other in combinations(boxes, 2):
        assert not box.overlaps(other)
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
    names = " ".join(text.get_text().replace("\n", " ") for text in figure.axes[1].texts)
    assert "dot products of bytes" in names and "float32 multiply-adds" in names


@pytest.mark.parametrize("family", ["zen2", "zen4"])
def test_each_named_level_of_memory_has_its_line(roofline, family):
    for axes, levels in zip(roofline(family).axes, (1, 2), strict=True):
        named = [text for text in axes.texts if "GB/s" in text.get_text()]
        slanted = [line for line in axes.lines if len(set(line.get_ydata())) == 2]
        low, high = axes.get_xlim()
        assert len(named) == levels
        assert sum(low <= x0 < x1 <= high for x0, x1 in map(Line2D.get_xdata, slanted)) == levels


def test_intensity_counts_the_traffic():
    """Two bits a weight, float32 tokens and outputs."""
    row = Comparison(2, 8, 16, TIMES)
    assert figures.intensity(row) == 2 * 2 * 8 * 16 / (8 * 16 / 4 + 4 * 2 * 8 + 4 * 2 * 16)
