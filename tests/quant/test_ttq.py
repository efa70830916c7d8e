import numpy as np
import pytest

import tervit_np as tv
from tervit_np.quant import TTQ
from tests.checks import ROUNDOFF64, close

W, DY = np.random.default_rng(0).normal(size=(2, 3, 64))


def prepared(quantizer, w=W):
    quantizer.prepare(w)
    return quantizer


def test_each_sign_has_a_scale():
    w_hat, _ = prepared(TTQ()).forward(W)
    for row, latent in zip(w_hat, W, strict=True):
        levels = np.unique(row)
        kept = np.abs(latent) > 0.05 * np.abs(latent).max()
        means = -latent[kept & (latent < 0)].mean(), latent[kept & (latent > 0)].mean()
        close(levels, np.array([-means[0], 0, means[1]]), ROUNDOFF64)


def test_gradients_are_those_of_the_paper_but_for_a_sign():
    """Its equation of dN has no minus sign; w_hat = -N there, as the next test differentiates."""
    quantizer = prepared(TTQ())
    w_hat, cache = quantizer.forward(W)
    dw = quantizer.backward(DY, cache)
    positive, negative = quantizer.params().values()
    close(positive.grad, np.where(w_hat > 0, DY, 0).sum(axis=1), ROUNDOFF64)
    close(negative.grad, -np.where(w_hat < 0, DY, 0).sum(axis=1), ROUNDOFF64)
    units = np.where(w_hat == 0, 1, np.abs(w_hat))
    close(dw, DY * units, ROUNDOFF64)


@pytest.mark.parametrize("name", ["positive", "negative"])
def test_gradients_of_both_scales_are_derivatives(name):
    """w_hat is linear in P and N, so one difference of any size is exact."""
    quantizer = prepared(TTQ())
    w_hat, cache = quantizer.forward(W)
    quantizer.backward(DY, cache)
    scale = quantizer.params()[name]
    scale.data += 0.5
    change = (DY * (quantizer.forward(W)[0] - w_hat)).sum(axis=1)
    close(scale.grad, change / 0.5, ROUNDOFF64)


def test_a_weight_on_the_threshold_is_zero():
    w = np.array([[1.0, np.nextafter(0.05, 1), 0.05, -0.05]])
    assert np.sign(prepared(TTQ(), w).forward(w)[0]).tolist() == [[1, 1, 0, 0]]


def test_a_sign_that_no_weight_has_starts_at_zero():
    w = np.array([[1.0, 0.5, 0.0, 0.25]])
    quantizer = prepared(TTQ(), w)
    assert [p.data.tolist() for p in quantizer.params().values()] == [[1.75 / 3], [0]]


def test_a_scale_below_zero_counts_as_zero():
    quantizer = prepared(TTQ())
    quantizer.params()["negative"].data.fill(-1)
    w_hat, cache = quantizer.forward(W)
    assert w_hat.min() == 0
    assert not quantizer.backward(DY, cache)[W < -0.5].any()


def test_two_scales_have_no_packed_form(tmp_path):
    model = tv.quantize(tv.create_model("deit_shapes", depth=1), "ttq")
    with pytest.raises(ValueError, match=r"qkv has weights ternary TTQ \(channel\), which have no"):
        tv.export(model, tmp_path / "m.safetensors")
    assert TTQ().num_scales((6, 8)) == 12


def test_without_scales_there_is_a_sentence():
    with pytest.raises(ValueError, match="has no scales yet"):
        TTQ().forward(W)
