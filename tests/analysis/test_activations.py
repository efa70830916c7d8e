import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.activations import saved_activations

CONFIG = tv.DeiTConfig(16, 4, 5, 12, 2, 3)  # 17 tokens of 12


def rows(plan="float", batch=7, **options):
    model = tv.quantize(tv.DeiT(CONFIG, np.random.default_rng(0)), plan)
    for name, value in options.items():
        setattr(model, name, value)
    return {row.name: row for row in saved_activations(model, batch)}


def test_attention_probabilities_equal_a_count_by_hand():
    """Attention's probabilities: two blocks, three heads, 17 x 17 tokens, four bytes."""
    (probs,) = [row for name, row in rows().items() if name.endswith("probs")]
    assert probs.shape == (7, 3, 17, 17)
    assert (probs.arrays, probs.bytes) == (2, 2 * 7 * 3 * 17 * 17 * 4)


def test_the_largest_comes_first():
    sizes = [row.bytes for row in rows().values()]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("plan", ["float", "ternary"])
def test_the_sum_equals_the_memory_of_a_real_cache(plan):
    """Which grows with the batch, and in which views of one memory count once."""
    model = tv.quantize(tv.DeiT(CONFIG, np.random.default_rng(0)), plan)
    images = np.random.default_rng(1).normal(size=(7, 3, 16, 16)).astype(np.float32)
    _, cache = model.forward(images, train=True, rng=np.random.default_rng(0))
    memory = {}

    def walk(value):
        if isinstance(value, tuple | list):
            for part in value:
                walk(part)
        elif isinstance(value, np.ndarray):
            while isinstance(value.base, np.ndarray):
                value = value.base
            memory[value.__array_interface__["data"][0]] = value.nbytes

    walk(cache)
    for _, param in model.named_params():
        memory.pop(param.data.__array_interface__["data"][0], None)
    memory.pop(images.__array_interface__["data"][0], None)
    total = sum(row.bytes for row in rows(plan).values())
    assert total == pytest.approx(sum(memory.values()), rel=0.02)


def test_recomputation_keeps_the_inputs_of_the_blocks():
    less = rows(recompute=True)
    inputs = [row for name, row in less.items() if name.endswith(".x") and "blocks" in name]
    assert sum(row.bytes for row in inputs) == 2 * 7 * 17 * 12 * 4
    assert not any("probs" in name for name in less)
