import numpy as np
import pytest

from tervit_np.quant import IDENTITY


def test_values_and_gradients_pass_unchanged():
    w, dw_hat = np.random.default_rng(0).normal(size=(2, 3, 4))
    w_hat, cache = IDENTITY.forward(w)
    assert w_hat is w
    assert IDENTITY.backward(dw_hat, cache) is dw_hat
    assert IDENTITY.frozen(w, cache) is w
    assert IDENTITY.bits == 32
    assert repr(IDENTITY) == "float"


def test_real_numbers_have_no_codes():
    with pytest.raises(ValueError, match="no integer codes"):
        IDENTITY.encode(np.ones(3))
