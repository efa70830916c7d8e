import numpy as np

from tervit_np.bench import baselines
from tests.rounding import decibels


def test_all_candidates_compute_the_same_layer():
    """8-bit inputs leave 30 decibels; products of integers alone are skipped."""
    problem = baselines.random_problem(5, 64, 70)
    exact = problem.x.astype(np.float64) @ problem.weight.T.astype(np.float64) + problem.bias
    engines = (baselines._numpy, baselines._torch, baselines._onnxruntime)
    candidates = {name: call for engine in engines for name, call in engine(problem).items()}
    for name, candidate in candidates.items():
        found = np.asarray(candidate())
        if name not in baselines.PRODUCT_ONLY:
            least = 100 if name.endswith("float32") else 30
            assert decibels(found, exact).min() > least, name


def test_each_shape_gives_one_row():
    (row,) = baselines.compare([(3, 16, 64)], rounds=3)
    assert (row.tokens, row.inputs, row.outputs) == (3, 16, 64)
    numpy = row.times["numpy float32"].median / row.times["ternary"].median
    assert row.ratio("numpy float32") == numpy
    assert row.speed > 0
