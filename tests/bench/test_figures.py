from PIL import Image

from tervit_np.bench import figures
from tervit_np.bench.baselines import Comparison
from tervit_np.bench.models import ModelComparison
from tests.bench.test_store import LAYERS, TABLE, TIMES


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


def test_intensity_counts_the_traffic():
    """Two bits a weight, float32 tokens and outputs."""
    row = Comparison(2, 8, 16, TIMES)
    assert figures.intensity(row) == 2 * 2 * 8 * 16 / (8 * 16 / 4 + 4 * 2 * 8 + 4 * 2 * 16)
