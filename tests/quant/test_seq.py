import numpy as np
import pytest

from tervit_np.quant import SEQ


def quantized(quantizer, w):
    quantizer.prepare(w)
    return quantizer.forward(w)[0]


@pytest.mark.parametrize("levels", [3, 4])
def test_levels_are_the_middles_of_equal_parts(levels):
    w = np.linspace(-1, 1, 100_001)[None]
    w_hat = quantized(SEQ(levels), w)
    for level in np.unique(w_hat):
        part = w[w_hat == level]
        assert np.ptp(part) == pytest.approx(2 / levels, abs=1e-4)
        assert part.mean() == pytest.approx(level, abs=1e-4)
    assert len(np.unique(w_hat)) == levels


def test_of_uniform_weights_no_other_three_levels_lose_less():
    """The error of x parts is the variance of a uniform part: 1/9 of that of all weights."""
    w = np.linspace(-1, 1, 100_001)[None]
    assert np.square(quantized(SEQ(), w) - w).mean() == pytest.approx(1 / 27, rel=1e-3)
    assert np.square(quantized(SEQ(4), w) - w).mean() == pytest.approx(1 / 48, rel=1e-3)


def test_weights_beyond_the_end_have_the_last_level():
    quantizer = SEQ(4)
    quantizer.prepare(np.array([[2.0, -1.0]]))
    assert quantizer.forward(np.array([[9.0, -9.0]]))[0].tolist() == [[1.5, -1.5]]


@pytest.mark.parametrize(("levels", "bits"), [(3, 2), (4, 3)])
def test_codes_are_stored_in_their_bits(levels, bits):
    quantizer = SEQ(levels)
    assert quantizer.code_bits == bits
    assert quantizer.packing == ("ternary" if levels == 3 else "integer")


@pytest.mark.parametrize("levels", [2, 5, True, "3"])
def test_other_numbers_of_levels_are_refused(levels):
    with pytest.raises(ValueError, match="expected 3 or 4"):
        SEQ(levels)


def test_the_repr_states_the_rule():
    assert repr(SEQ()) == "ternary SEQ (channel)"
    assert repr(SEQ(4, "tensor")) == "SEQ of four levels (tensor)"
