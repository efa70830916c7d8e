import numpy as np
import pytest

from tervit_np.quant import DoReFa
from tests.checks import ROUNDOFF64, close

W = np.random.default_rng(0).normal(size=(3, 40))


@pytest.mark.parametrize("bits", range(2, 8))
def test_the_levels_are_between_the_integers(bits):
    w = np.append(np.linspace(-0.01, 0.01, 5000), 0)[None]
    codes = DoReFa(bits).encode(w).codes
    assert np.unique(codes).tolist() == list(range(-(2**bits) + 1, 2**bits, 2))


def test_the_papers_scale_is_one():
    w_hat, _ = DoReFa(2, scale="one").forward(W)
    close(np.unique(w_hat), np.array([-1, -1 / 3, 1 / 3, 1]), ROUNDOFF64)


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
def test_the_fitted_scale_is_least_squares(granularity):
    w_hat, _ = DoReFa(3, granularity).forward(W)
    errors = [np.square(W - factor * w_hat).sum() for factor in (0.99, 1, 1.01)]
    assert np.argmin(errors) == 1


def test_large_weights_are_drawn_together():
    """Without tanh 3 would be two levels below 9."""
    codes = DoReFa(4).encode(np.array([[9.0, 3.0, -9.0]])).codes
    assert codes.tolist() == [[15, 15, -15]]


def test_a_row_of_zeros_has_no_infinite_gradient():
    quantizer = DoReFa(2, scale="one")
    w = np.zeros((1, 4))
    w_hat, cache = quantizer.forward(w)
    np.testing.assert_allclose(w_hat, 1 / 3)  # no level is zero; the half goes to the even code
    assert np.isfinite(quantizer.backward(np.ones_like(w), cache)).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"bits": 1}, "bits is 1; expected an integer from 2 to 7"),
        ({"bits": 8}, "bits is 8"),
        ({"bits": 2.0}, "bits is 2.0"),
        ({"scale": "max"}, "scale is 'max'; expected one of fit, one"),
        ({"granularity": "row"}, "granularity is 'row'"),
    ],
)
def test_unknown_options_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        DoReFa(**arguments)


def test_the_repr_states_the_rule():
    assert repr(DoReFa(3)) == "DoReFa 3 bits (tensor, fit)"
