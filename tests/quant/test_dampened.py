import numpy as np
import pytest

from tervit_np.param import Param
from tervit_np.quant import Dampened, Ternary
from tervit_np.verify.gradcheck import numerical_gradient
from tests.checks import EXACT, close

W = np.random.default_rng(0).normal(size=(3, 8))


@pytest.mark.parametrize(("granularity", "width"), [("channel", 8), ("group4", 4)])
def test_the_pull_is_the_gradient_of_the_term(granularity, width):
    """By central differences, with w_hat and the limit held fixed."""
    quantizer = Dampened(granularity, strength=0.3)
    w_hat = quantizer.forward(W)[0]
    alpha = np.abs(w_hat.reshape(-1, width)).max(axis=1, keepdims=True)
    inside = (np.abs(W.reshape(-1, width)) <= alpha).reshape(W.shape)

    def term(w):
        return 0.3 * np.square(w_hat - w) * inside

    weight = Param(W.copy())
    weight.grad.fill(1)
    quantizer.before_step(weight)
    numeric = numerical_gradient(term, W, np.ones_like(W))
    np.testing.assert_allclose(weight.grad - 1, numeric, atol=1e-8)
    assert 0 < inside.sum() < W.size
    close(weight.data, W, EXACT)


def test_otherwise_the_rule_is_that_of_ternary_weights():
    close(Dampened().forward(W)[0], Ternary().forward(W)[0], EXACT)


def test_the_pull_ends_oscillations():
    """Descent on (x w_hat - 1)^2 with one weight: its optimum 0.8 is between the levels 0 and 1."""

    def changes(quantizer):
        w = Param(np.array([[0.45, 1.0, -1.0, 1.0]]))  # Delta 0.6, alpha 1
        codes = []
        for _ in range(200):
            w_hat, _ = quantizer.forward(w.data)
            w.grad.fill(0)
            w.grad[0, 0] = 0.05 * np.sign(w_hat[0, 0] - 0.8)
            quantizer.before_step(w)
            w.data[0, 0] -= w.grad[0, 0]
            codes.append(np.sign(w_hat[0, 0]))
        return np.count_nonzero(np.diff(codes[100:]))

    assert changes(Ternary()) > 20
    assert changes(Dampened(strength=0.2)) < changes(Ternary()) / 4


@pytest.mark.parametrize("strength", [-1, float("inf"), float("nan")])
def test_a_strength_that_is_no_strength_is_refused(strength):
    with pytest.raises(ValueError, match="strength is"):
        Dampened(strength=strength)


def test_the_repr_states_the_rule():
    assert repr(Dampened("tensor", 0.5)) == "dampened ternary (tensor, 0.5)"
