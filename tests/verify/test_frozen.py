import numpy as np
import pytest

from tervit_np.models import quantize
from tervit_np.quant import Blend, Identity, Ternary, UniformAct, UniformWeight
from tervit_np.verify.frozen import QUANTIZERS, Held, frozen_checks, hold
from tervit_np.verify.golden import CASES, filled_model, inputs
from tervit_np.verify.gradcheck import Difference, numerical_gradient

W, DY = np.random.default_rng(0).normal(size=(2, 3, 7))


def test_every_rule_and_every_option_is_tried():
    assert {type(q) for q in QUANTIZERS} == {Identity, Ternary, UniformWeight, UniformAct, Blend}
    ternary = [q for q in QUANTIZERS if isinstance(q, Ternary)]
    assert {q.threshold for q in ternary} == {"twn", "absmean", "exact", 0.4}
    assert {q.granularity for q in ternary} == {"channel", "tensor"}
    assert {q.kind for q in QUANTIZERS if isinstance(q, UniformAct)} == {"symmetric", "minmax"}


@pytest.mark.parametrize("seed", range(3))
def test_the_declared_convention_is_the_code(seed):
    for gradient, value in frozen_checks(np.random.default_rng(seed)):
        assert gradient.error < 1e-9, gradient.name
        assert value.error < 1e-14, value.name


@pytest.mark.parametrize("quantizer", [Ternary(), UniformWeight()], ids=repr)
def test_naive_differences_see_only_flat_ground(quantizer):
    """Codes do not move at all; w_hat moves with its scale only, not as the backward says."""
    _, cache = quantizer.forward(W)
    naive = numerical_gradient(lambda w: quantizer.forward(w)[0], W, DY)
    assert Difference("dw", quantizer.backward(DY, cache), naive).error > 0.5
    codes = numerical_gradient(lambda w: quantizer.codes(w).codes.astype(float), W, DY)
    assert not codes.any()


def test_an_identity_backward_on_a_clipped_forward_is_caught():
    """0.9 lies well inside a Gaussian: over a third of the gradient must stop."""
    quantizer = Ternary(clip=0.9)
    _, cache = quantizer.forward(W, keep=True)
    numerical = numerical_gradient(lambda w: quantizer.frozen(w, cache), W, DY)
    assert not Difference("dw", DY, numerical).ok
    assert Difference("dw", quantizer.backward(DY, cache), numerical).ok


def test_a_held_quantizer_keeps_its_first_residual():
    held = Held(Ternary())
    first, cache = held.forward(W)
    np.testing.assert_allclose(first, Ternary().forward(W)[0], atol=1e-15)
    moved, _ = held.forward(W + 0.3)
    np.testing.assert_allclose(moved, first + 0.3)
    np.testing.assert_array_equal(held.backward(DY, cache), DY)
    np.testing.assert_array_equal(held.codes(W).codes, Ternary().codes(W).codes)
    np.testing.assert_array_equal(held.frozen(W, cache), Ternary().frozen(W, cache))
    other, _ = held.forward(W[:2])  # another shape has a residual of its own
    np.testing.assert_allclose(other, Ternary().forward(W[:2])[0], atol=1e-15)


@pytest.mark.parametrize("plan", ["int8", "ternary"])
def test_holding_a_model_changes_no_logit_and_no_gradient(plan):
    config = CASES["plain"]
    images, _ = inputs(config)
    found = []
    for prepare in (lambda model: model, hold):
        model = prepare(quantize(filled_model(config), plan))
        logits, cache = model.forward(images)
        model.backward(np.ones_like(logits), cache)
        found.append([logits, *(p.grad for _, p in model.named_params())])
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-9, atol=1e-11)
