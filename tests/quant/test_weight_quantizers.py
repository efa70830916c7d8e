"""What every quantizer of weights must do with weights at the edge of what is possible."""

import copy
import re

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.nn import Linear
from tervit_np.quant import (
    TTQ,
    Hadamard,
    HadamardAct,
    Plan,
    Quest,
    Sherry,
    Ternary,
    UniformAct,
    UniformWeight,
)
from tervit_np.quant.weight_quantizer import WeightQuantizer
from tervit_np.verify.frozen import QUANTIZERS
from tests.checks import BACKENDS, ROUNDOFF64, close

WEIGHTS = [q for q in QUANTIZERS if isinstance(q, WeightQuantizer)]
every = pytest.mark.parametrize("quantizer", WEIGHTS, ids=repr)


def quantized(quantizer, w):
    """Quantize a weight by a fresh copy.  -> w_hat, dw of an upstream of ones."""
    mine = copy.deepcopy(quantizer)
    mine.prepare(w)
    w_hat, cache = mine.forward(w)
    return w_hat, mine.backward(np.ones_like(w), cache)


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_zero_and_constant_rows_stay_finite(quantizer, dtype):
    w = np.array([[0] * 8, [0.5] * 8, [-2] * 8], dtype)
    w_hat, dw = quantized(quantizer, w)
    assert w_hat.dtype == dw.dtype == dtype
    assert np.isfinite(w_hat).all()
    assert np.isfinite(dw).all()
    zeros, _ = quantized(quantizer, np.zeros((2, 8), dtype))
    limit = 1.0 if getattr(quantizer, "scale", "") == "one" else 0.0
    assert np.abs(zeros).max() <= limit


@every
def test_signs_are_kept_and_order_does_not_turn(quantizer):
    w = np.random.default_rng(0).normal(size=(3, 8))
    w_hat, _ = quantized(quantizer, w)
    rotated = isinstance(quantizer, Hadamard)
    assert rotated or (w_hat * w >= 0).all() or quantizer.packing.startswith("integer")
    negated, _ = quantized(quantizer, -w)
    close(negated, -w_hat, ROUNDOFF64)


@every
@pytest.mark.parametrize("exponent", [-40, 20])
def test_weights_times_a_power_of_two_give_w_hat_times_it(quantizer, exponent):
    if type(quantizer).__name__ == "DoReFa" or getattr(quantizer, "clip", None):
        return  # tanh and a clip know how large a weight is
    w = np.random.default_rng(0).normal(size=(3, 8))
    w_hat, _ = quantized(quantizer, w)
    scaled, _ = quantized(quantizer, np.ldexp(w, exponent))
    close(scaled, np.ldexp(w_hat, exponent), ROUNDOFF64)


@every
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(quantizer, bad, backend):
    w = np.ones((2, 8), np.float32)
    w[1, 3] = bad
    mine = copy.deepcopy(quantizer)
    mine.prepare(np.ones_like(w))
    with tv.backend(backend), pytest.raises(ValueError, match="NaN or infinite"):
        mine.forward(w)


@every
def test_convolutions_are_quantized_as_their_rows(quantizer):
    w = np.random.default_rng(0).normal(size=(3, 2, 2, 2))
    w_hat, dw = quantized(quantizer, w)
    rows, drows = quantized(quantizer, w.reshape(3, 8))
    np.testing.assert_array_equal(w_hat, rows.reshape(w.shape))
    np.testing.assert_array_equal(dw, drows.reshape(w.shape))


@every
def test_scales_are_as_many_as_counted(quantizer):
    w = np.random.default_rng(0).normal(size=(3, 8))
    mine = copy.deepcopy(quantizer)
    mine.prepare(w)
    scales = mine.encode(w).scale.size
    assert scales == (w.size if isinstance(mine, TTQ) else mine.num_scales(w.shape))


@every
def test_codes_fit_their_bits_and_their_kind(quantizer):
    w = np.random.default_rng(0).normal(size=(3, 8))
    mine = copy.deepcopy(quantizer)
    mine.prepare(w)
    codes = mine.encode(w).codes
    limit = 1 if mine.is_ternary else 2 ** (mine.code_bits - 1) - 1
    assert np.abs(codes).max() <= limit
    assert codes.dtype == np.int8
    assert mine.packing.split(" ")[0] in ("", "ternary" if mine.is_ternary else "integer")


@every
def test_one_input_is_rounded_or_refused_in_a_sentence(quantizer):
    w = np.array([[-0.75], [0.5], [0.0]])
    try:
        w_hat, dw = quantized(quantizer, w)
    except ValueError as error:
        assert re.search(r"1 inputs cannot be cut into (groups|blocks) of 4", str(error))
        return
    assert w_hat.shape == dw.shape == (3, 1)
    assert np.isfinite(w_hat).all()
    assert np.isfinite(dw).all()
    assert w_hat[0, 0] <= 0 <= w_hat[1, 0]


@pytest.mark.parametrize(
    ("weights", "inputs", "words"),
    [
        (Ternary("group4"), UniformAct(), "weights of b: 6 inputs cannot be cut into groups of 4"),
        (UniformWeight(8, "group8"), UniformAct(), "weights of b: 6 inputs cannot be cut into gro"),
        (Sherry(), UniformAct(), "weights of b: 6 inputs cannot be cut into blocks of 4"),
        (Ternary(), HadamardAct(4, 4), "inputs of b: 6 inputs cannot be cut into blocks of 4"),
    ],
)
def test_a_plan_that_does_not_fit_changes_no_layer(weights, inputs, words):
    layers = [("a", Linear(8, 3)), ("b", Linear(6, 3))]
    before = [(layer.weight_quant, layer.act_quant) for _, layer in layers]
    with pytest.raises(ValueError, match=f"plan: the {words}"):
        Plan([("a|b", weights, inputs)]).apply(layers)
    assert [(layer.weight_quant, layer.act_quant) for _, layer in layers] == before


def test_weights_without_an_axis_or_a_fraction_are_refused():
    for quantizer in (Quest(), Sherry()):
        with pytest.raises(ValueError, match="expected floating-point"):
            quantizer.forward(np.ones((2, 8), np.int64))
        with pytest.raises(ValueError, match="no channels"):
            quantizer.forward(np.array(1.0))
