import numpy as np
import pytest

from tervit_np.verify.contracts import contract_checks
from tervit_np.verify.mutants import find_mutant
from tervit_np.verify.mutation import mutated


def violations():
    checks = contract_checks(np.random.default_rng(0))
    return {check.name: check.violation for check in checks if check.violation}


def test_the_library_keeps_its_contracts():
    assert violations() == {}


@pytest.mark.parametrize(
    ("mutant", "name", "words"),
    [
        ("dy-in-place", "softmax leaves dy unchanged", "read-only"),
        ("cache-written", "gelu erf leaves its cache unchanged", "changed the cache"),
        ("skip-in-place", "a block leaves its input unchanged", "read-only"),
        (
            "latent-written",
            "ternary (channel, twn, support, clip 0.9) only reads its inputs",
            "read-only",
        ),
        ("float64", "drop_path keeps float32", "float32 became float64"),
        ("scale-float64", "ternary (channel, twn, support) keeps float32", "became float64"),
        ("gradient-assigned", "plain model accumulates gradients", "instead of adding"),
        ("gradient-replaced", "plain model accumulates gradients", "replaces the gradient array"),
        (
            "positions-batch",
            "plain model: gradients add up over a batch",
            "not the sum over",
        ),
    ],
)
def test_each_violation_is_named(mutant, name, words):
    with mutated(find_mutant(mutant)):
        assert words in violations()[name]
