import numpy as np
import pytest

from tervit_np.quant import LSQ
from tests.checks import ROUNDOFF64, close

W = np.random.default_rng(0).normal(size=(3, 4000))


def prepared(quantizer, w=W):
    quantizer.prepare(w)
    return quantizer


@pytest.mark.parametrize("bits", range(2, 9))
def test_the_first_step_is_that_of_the_papers(bits):
    """On Gaussian weights of deviation 1: 2 root(2 / pi) / root(Q), and 3 / 2^(b-1)."""
    q_max = 2 ** (bits - 1) - 1
    step = prepared(LSQ(bits)).end.data / q_max
    np.testing.assert_allclose(step, 2 * np.sqrt(2 / np.pi / q_max), rtol=0.05)
    step = prepared(LSQ(bits, start="deviation")).end.data / q_max
    np.testing.assert_allclose(step, 3 / 2 ** (bits - 1), rtol=0.05)


def test_the_gradient_of_the_step_is_that_of_the_paper():
    quantizer = prepared(LSQ(4))
    quantizer.end.data.fill(1.4)  # a step of 0.2
    steps = W / 0.2
    inside = np.abs(steps) < 7
    by_paper = np.where(inside, np.rint(steps) - steps, 7 * np.sign(W)).sum(axis=1)
    dw = quantizer.backward(np.ones_like(W), quantizer.forward(W)[1])
    close(7 * quantizer.end.grad, by_paper, ROUNDOFF64)  # da = ds / Q
    np.testing.assert_array_equal(dw, inside)


def test_descent_on_the_error_finds_the_best_end():
    """A step that loses less than 1 % more than the best of many, from the start of the paper."""
    w = W[:1]
    quantizer = prepared(LSQ(3), w)
    for _ in range(300):
        w_hat, cache = quantizer.forward(w)
        quantizer.end.grad.fill(0)
        quantizer.backward((w_hat - w) / w.size, cache)
        quantizer.end.data -= quantizer.end.grad
    found = np.square(quantizer.forward(w)[0] - w).mean()
    errors = []
    for end in np.linspace(0.5, 5, 200):
        quantizer.end.data.fill(end)
        errors.append(np.square(quantizer.forward(w)[0] - w).mean())
    assert found < 1.01 * min(errors)


def test_two_bits_are_ternary():
    assert LSQ().packing == "ternary"
    assert LSQ(3).packing == "integer"
    assert LSQ(8).code_bits == 8
    assert prepared(LSQ(8)).encode(np.full((3, 1), 1e6)).codes.max() == 127


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"bits": 1}, "bits is 1; expected an integer from 2 to 8"),
        ({"start": "max"}, "start is 'max'; expected one of mean, deviation"),
        ({"granularity": "row"}, "granularity is 'row'"),
    ],
)
def test_unknown_options_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        LSQ(**arguments)


def test_the_repr_states_the_rule():
    assert repr(LSQ(4, "tensor", "deviation")) == "LSQ 4 bits (tensor, deviation)"
