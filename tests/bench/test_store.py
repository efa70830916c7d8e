import json

import pytest

from tervit_np.bench.baselines import Comparison
from tervit_np.bench.models import ModelComparison
from tervit_np.bench.store import Stored, store, stored
from tervit_np.bench.timing import Times
from tervit_np.bench.variants import Ladder, Limits, Rung

TIMES = {"ternary": Times(1.0, 0.9, 1.1), "numpy float32": Times(4.0, 3.0, 5.0)}
LAYERS = [Comparison(3, 16, 64, TIMES)]
VARIANTS = [
    Rung("numpy", 9.0, None, None, None, {}),
    Rung("avx2", 90.0, 0.2, 24.0, 17.0, {"add": 3}),
]
LADDER = Ladder(Limits({"L1": 160.0, "L2": 60.0, "memory": 14.0}, 100.0), VARIANTS)


def model(batch, seconds):
    return ModelComparison("deit", batch, 1, {"packed": Times(seconds, seconds, seconds)})


def test_sections_come_back_and_stay(tmp_path):
    file = tmp_path / "b.json"
    store(file, "layers", LAYERS, {"cores": "2"})
    store(file, "ladder", LADDER, {"cores": "4"})
    store(file, "models", [model(1, 1.0), model(8, 2.0)], {})
    store(file, "models", [model(8, 3.0)], {})
    environments = {"layers": {"cores": "2"}, "ladder": {"cores": "4"}, "models": {}}
    assert stored(file) == Stored(environments, LAYERS, LADDER, [model(1, 1.0), model(8, 3.0)])


def test_files_of_other_kinds(tmp_path):
    with pytest.raises(ValueError, match="no such file; `tervit bench --out"):
        stored(tmp_path / "b.json")
    for text in ("[", "[]", '{"rows": 1}', '{"layers": {"found": []}}', '{"layers": 3}'):
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(ValueError, match="holds no measurements"):
            stored(tmp_path / "b.json")
    (tmp_path / "b.json").write_text(json.dumps({"rows": 1}))
    with pytest.raises(ValueError, match="holds no measurements"):
        store(tmp_path / "b.json", "layers", LAYERS, {})
