import numpy as np
import pytest

from tervit_np.verify.contracts import structure_checks
from tervit_np.verify.mutants import find_mutant
from tervit_np.verify.mutation import mutated


def faults(name=None):
    rng = np.random.default_rng(0)
    if name is None:
        return [p for p in structure_checks(rng) if p.fault]
    with mutated(find_mutant(name)):
        return [p for p in structure_checks(rng) if p.fault]


def test_the_library_behaves():
    assert faults() == []


@pytest.mark.parametrize(
    ("mutant", "name", "words"),
    [
        ("in-place", "softmax leaves dy alone", "read-only"),
        ("cache-written", "gelu erf leaves its cache alone", "wrote on it"),
        ("skip-in-place", "a block leaves its input alone", "read-only"),
        ("latent-written", "ternary (channel, twn, support, clip 0.9) reads only", "read-only"),
        ("float64", "drop_path keeps float32", "float32 became float64"),
        ("scale-float64", "ternary (channel, twn, support) keeps float32", "became float64"),
        ("overwrite", "plain model accumulates", "replaces the gradient"),
        ("rebound", "plain model accumulates", "another array"),
        ("positions-batch", "plain model: parts of a batch add up", "not the sum over its images"),
    ],
)
def test_each_fault_is_named(mutant, name, words):
    found = {p.name: p.fault for p in faults(mutant)}
    assert words in found[name]
