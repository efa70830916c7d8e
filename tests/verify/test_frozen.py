import numpy as np
import pytest

from tervit_np.models import quantize
from tervit_np.quant import Blend, StaticAct, Ternary, UniformAct, UniformWeight
from tervit_np.quant.spec import RULES
from tervit_np.verify.frozen import QUANTIZERS, FrozenResidual, freeze, frozen_checks
from tervit_np.verify.golden import CASES, filled_model, inputs
from tervit_np.verify.gradcheck import GradientCheck, numerical_gradient

W, DY = np.random.default_rng(0).normal(size=(2, 3, 7))


def test_every_rule_and_every_option_is_checked():
    assert {type(q) for q in QUANTIZERS} == {*RULES.values(), Blend}
    ternary = [q for q in QUANTIZERS if isinstance(q, Ternary)]
    assert {q.threshold for q in ternary} == {"twn", "absmean", "exact", 0.4}
    assert {q.granularity for q in ternary} == {"channel", "tensor", "group4"}
    assert {q.kind for q in QUANTIZERS if isinstance(q, UniformAct)} == {"symmetric", "minmax"}


@pytest.mark.parametrize("seed", range(3))
def test_the_code_is_what_the_convention_declares(seed):
    for gradient, value in frozen_checks(np.random.default_rng(seed)):
        assert gradient.error < 1e-9, gradient.name
        assert value.error < 1e-14, value.name


@pytest.mark.parametrize("quantizer", [Ternary(), UniformWeight()], ids=repr)
def test_differences_of_forward_do_not_give_the_backward(quantizer):
    """Codes do not change at all; w_hat changes with its scale only."""
    _, cache = quantizer.forward(W)
    naive = numerical_gradient(lambda w: quantizer.forward(w)[0], W, DY)
    assert GradientCheck("dw", quantizer.backward(DY, cache), naive).error > 0.5
    codes = numerical_gradient(lambda w: quantizer.encode(w).codes.astype(float), W, DY)
    assert not codes.any()


def test_an_identity_backward_on_a_clipped_forward_is_caught():
    """0.9 is well inside a Gaussian: over a third of the gradient must stop."""
    quantizer = Ternary(clip=0.9)
    _, cache = quantizer.forward(W, keep_residual=True)
    numerical = numerical_gradient(lambda w: quantizer.frozen(w, cache), W, DY)
    assert not GradientCheck("dw", DY, numerical).ok
    assert GradientCheck("dw", quantizer.backward(DY, cache), numerical).ok


def test_an_identity_backward_on_a_static_grid_is_caught():
    quantizer = StaticAct(3, 0.2)  # from -0.6 to 0.6
    _, cache = quantizer.forward(W, keep_residual=True)
    numerical = numerical_gradient(lambda w: quantizer.frozen(w, cache), W, DY)
    assert not GradientCheck("dx", DY, numerical).ok
    assert GradientCheck("dx", quantizer.backward(DY, cache), numerical).ok


def test_a_frozen_quantizer_keeps_its_first_residual():
    frozen = FrozenResidual(Ternary())
    first, cache = frozen.forward(W)
    np.testing.assert_allclose(first, Ternary().forward(W)[0], atol=1e-15)
    shifted, _ = frozen.forward(W + 0.3)
    np.testing.assert_allclose(shifted, first + 0.3)
    np.testing.assert_array_equal(frozen.backward(DY, cache), DY)
    np.testing.assert_array_equal(frozen.encode(W).codes, Ternary().encode(W).codes)
    np.testing.assert_array_equal(frozen.frozen(W, cache), Ternary().frozen(W, cache))
    other, _ = frozen.forward(W[:2])  # another shape has a residual of its own
    np.testing.assert_allclose(other, Ternary().forward(W[:2])[0], atol=1e-15)


@pytest.mark.parametrize("plan", ["int8", "ternary"])
def test_freezing_a_model_changes_no_logit_and_no_gradient(plan):
    config = CASES["plain"]
    images, _ = inputs(config)
    runs = []
    for prepare in (lambda model: model, freeze):
        model = prepare(quantize(filled_model(config), plan))
        logits, cache = model.forward(images)
        model.backward(np.ones_like(logits), cache)
        runs.append([logits, *(p.grad for _, p in model.named_params())])
    for one, two in zip(*runs, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-9, atol=1e-11)
