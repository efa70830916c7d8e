import numpy as np

from tervit_np.bench import baselines
from tests.checks import relative_error


def test_everybody_computes_the_same_layer():
    """8 bits of input leave some percent; who multiplies bare integers is left out."""
    drawn = baselines.layer(5, 64, 70)
    exact = drawn.x.astype(np.float64) @ drawn.weight.T.astype(np.float64) + drawn.bias
    candidates = baselines._ours(drawn) | baselines._torch(drawn) | baselines._onnxruntime(drawn)
    for name, candidate in candidates.items():
        found = np.asarray(candidate())
        if name not in baselines.BARE:
            limit = 1e-5 if name.endswith("float32") else 0.05
            assert relative_error(found, exact) < limit, name


def test_one_row_for_each_shape():
    (row,) = baselines.compare([(3, 16, 64)], rounds=3)
    assert (row.tokens, row.inputs, row.outputs) == (3, 16, 64)
    numpy = row.times["numpy float32"].median / row.times["ternary"].median
    assert row.ratio("numpy float32") == numpy
    assert row.speed > 0
