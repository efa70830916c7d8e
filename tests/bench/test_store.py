import json

import pytest

from tervit_np.bench.baselines import Comparison
from tervit_np.bench.models import ModelComparison
from tervit_np.bench.store import Results, load_results, save_section
from tervit_np.bench.timing import Times
from tervit_np.bench.variants import Limits, VariantResult, VariantTable

TIMES = {"ternary": Times(1.0, 0.9, 1.1), "numpy float32": Times(4.0, 3.0, 5.0)}
LAYERS = [Comparison(3, 16, 64, TIMES)]
VARIANTS = [
    VariantResult("numpy", 9.0, None, None, None, {}),
    VariantResult("avx2", 90.0, 0.2, 24.0, 17.0, {"add": 3}),
]
TABLE = VariantTable(Limits({"L1": 160.0, "L2": 60.0, "memory": 14.0}, 100.0), VARIANTS)


def model(batch, seconds):
    return ModelComparison("deit", batch, 1, {"packed": Times(seconds, seconds, seconds)})


def test_sections_are_read_back_and_kept(tmp_path):
    file = tmp_path / "b.json"
    save_section(file, "layers", LAYERS, {"cores": "2"})
    save_section(file, "variants", TABLE, {"cores": "4"})
    save_section(file, "models", [model(1, 1.0), model(8, 2.0)], {})
    save_section(file, "models", [model(8, 3.0)], {})
    environments = {"layers": {"cores": "2"}, "variants": {"cores": "4"}, "models": {}}
    models = [model(1, 1.0), model(8, 3.0)]
    assert load_results(file) == Results(environments, LAYERS, TABLE, models)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no such file; `tervit bench --out"):
        load_results(tmp_path / "b.json")
    for text in (
        "[",
        "[" * 99_999,
        "[]",
        '{"rows": 1}',
        '{"layers": {"results": []}}',
        '{"layers": 3}',
    ):
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(ValueError, match="holds no measurements"):
            load_results(tmp_path / "b.json")
    (tmp_path / "b.json").write_text(json.dumps({"rows": 1}))
    with pytest.raises(ValueError, match="holds no measurements"):
        save_section(tmp_path / "b.json", "layers", LAYERS, {})
