import numpy as np
import pytest

from tervit_np.quant import Blend, Identity, Quest, Ternary, UniformWeight
from tervit_np.quant.spec import RULES
from tervit_np.verify.hand_examples import EXAMPLES, example_checks, gradient_examples
from tervit_np.verify.step_examples import step_examples


def test_the_library_agrees_with_every_example():
    for comparison in [*example_checks(), *gradient_examples(), *step_examples()]:
        assert comparison.error < 1e-14, comparison.name


@pytest.mark.parametrize("rule", [*RULES.values(), Blend])
def test_every_rule_has_an_example(rule):
    assert rule is Identity or any(type(example.quantizer) is rule for example in EXAMPLES)


def test_every_example_changes_its_input():
    """A quantizer that does nothing must fail all of them."""
    for quantizer, w, w_hat, dw, *_ in EXAMPLES:
        assert not np.array_equal(w, w_hat), repr(quantizer)
        assert np.shape(w) == np.shape(w_hat)
        assert dw is None or np.shape(dw) == np.shape(w)


def test_gradients_are_compared_too(monkeypatch):
    monkeypatch.setattr(Quest, "backward", lambda self, dw_hat, cache: dw_hat)
    wrong = [comparison.name for comparison in gradient_examples() if comparison.error > 0.01]
    assert wrong == ["ternary QuEST (channel) dw by hand"]


def test_codes_are_compared_too(monkeypatch):
    monkeypatch.setattr(UniformWeight, "encode", lambda self, w: Ternary("tensor").encode(w))
    wrong = [comparison.name for comparison in example_checks() if comparison.error > 0.01]
    assert wrong == ["int8 (channel) codes", "int4 (tensor) codes", "int4 (group2) codes"]
