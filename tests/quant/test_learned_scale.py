import copy

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.nn import Linear
from tervit_np.quant import LSQ, SEQ, Plan, UniformAct
from tervit_np.train.adamw import decays
from tests.checks import ROUNDOFF64, close

W, DY = np.random.default_rng(0).normal(size=(2, 3, 8))


def prepared(quantizer, w=W):
    quantizer.prepare(w)
    return quantizer


def test_without_a_scale_there_is_a_sentence():
    quantizer = SEQ()
    assert quantizer.params() == {}
    with pytest.raises(ValueError, match=r"ternary SEQ \(channel\) has no scale yet: a plan sets"):
        quantizer.forward(W)


@pytest.mark.parametrize(("granularity", "count"), [("channel", 3), ("tensor", 1), ("group4", 6)])
def test_scales_are_one_axis_of_parameters_without_decay(granularity, count):
    quantizer = prepared(SEQ(3, granularity), W.astype(np.float32))
    (name, param), = quantizer.params().items()  # fmt: skip
    assert (name, param.shape, param.data.dtype) == ("end", (count,), np.float32)
    assert not decays("head.weight_quant.end", param)


def test_gradients_are_those_by_hand():
    """a is 3, w_hat 2, 0, 0, -2; the first is on the end. Of an upstream of ones."""
    w = np.array([[3, 1, 0.9, -1.2]])
    quantizer = prepared(SEQ(), w)
    dw = quantizer.backward(np.ones_like(w), quantizer.forward(w)[1])
    assert dw.tolist() == [[0, 1, 1, 1]]
    close(quantizer.end.grad, np.array([2 / 3 - 1 / 3 - 0.3 - (2 / 3 - 0.4)]), ROUNDOFF64)


def test_a_factor_of_the_gradient_leaves_adamw_alone_and_changes_the_norm():
    def step(factor):
        quantizer = prepared(SEQ())
        quantizer.backward(DY, quantizer.forward(W)[1])
        quantizer.end.grad *= factor
        named = list(quantizer.params().items())
        norm = tv.clip_grad_norm(named, 1e9)
        tv.AdamW(named, lr=0.01, eps=0).step()
        return quantizer.end.data, norm

    (plain, norm), (scaled, smaller) = step(1), step(1 / np.sqrt(W[0].size))
    close(scaled, plain, ROUNDOFF64)
    assert smaller == pytest.approx(norm / np.sqrt(8))


def test_gradients_add_up_over_backward_passes():
    quantizer = prepared(SEQ())
    _, cache = quantizer.forward(W)
    quantizer.backward(DY, cache)
    once = quantizer.end.grad.copy()
    quantizer.backward(2 * DY, cache)
    close(quantizer.end.grad, 3 * once, ROUNDOFF64)


@pytest.mark.parametrize("end", [0.0, -0.3])
def test_a_scale_that_is_not_above_zero_counts_as_zero(end):
    """It can grow again: every weight but 0 counts as beyond, and moves it."""
    quantizer = prepared(SEQ())
    quantizer.end.data.fill(end)
    w = W.copy()
    w[0, 0] = 0
    w_hat, cache = quantizer.forward(w, keep_residual=True)
    assert not w_hat.any()
    dw = quantizer.backward(np.sign(w), cache)
    assert np.flatnonzero(dw).size == 0
    close(quantizer.end.grad, np.array([7, 8, 8]) * 2 / 3, ROUNDOFF64)
    assert quantizer.encode(w).scale.tolist() == [0, 0, 0]


def test_a_row_of_zeros_can_be_trained():
    """Its a starts at 0 and has no gradient yet; the weights have all of theirs."""
    w = np.zeros((1, 4))
    for quantizer in (prepared(SEQ(), w), prepared(LSQ(2), w)):
        w_hat, cache = quantizer.forward(w)
        assert not w_hat.any()
        assert quantizer.backward(DY[:1, :4], cache).tolist() == DY[:1, :4].tolist()
        assert quantizer.end.grad.tolist() == [0]


def test_a_plan_starts_scales_and_keeps_learned_ones():
    layer = Linear(8, 3)
    layer.weight.data[...] = W
    plans = {n: Plan([("a", SEQ(n), UniformAct())]) for n in (3, 4)}
    plans[3].apply([("a", layer)])
    first = layer.weight_quant
    np.testing.assert_array_equal(first.end.data, np.abs(layer.weight.data).max(axis=1))
    first.end.data *= 0.5
    plans[3].apply([("a", layer)])
    assert layer.weight_quant is first
    plans[4].apply([("a", layer)])
    plans[3].apply([("a", layer)])
    np.testing.assert_array_equal(layer.weight_quant.end.data, 2 * first.end.data)


def test_a_model_names_its_scales_after_its_own_parameters():
    model = tv.quantize(tv.create_model("deit_shapes", depth=1), "seq")
    names = [name for name, _ in model.named_params()]
    official = [name for name, _ in model.official_params()]
    assert names[: len(official)] == official
    assert names[len(official) :] == [
        f"blocks.0.{layer}.weight_quant.end"
        for layer in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    ]


def test_copies_have_scales_of_their_own():
    quantizer = prepared(SEQ())
    other = copy.deepcopy(quantizer)
    other.end.data *= 2
    assert not np.array_equal(other.forward(W)[0], quantizer.forward(W)[0])


def test_a_start_beyond_the_numbers_is_refused():
    w = np.full((1, 4), np.finfo(np.float32).max)
    assert np.isfinite(prepared(SEQ(), w).forward(w)[0]).all()
