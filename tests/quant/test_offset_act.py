import json

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.quant import LSQAct, LSQPlusAct, Plan, Ternary, is_int8_activation
from tervit_np.quant.plan_words import quantizer_from_words, quantizer_to_words
from tests.checks import EXACT, ROUNDOFF64, close

X, DX_HAT = np.random.default_rng(0).normal(size=(2, 5, 40))


def started(kind=LSQPlusAct, bits=4, scale=0.2, offset=0.0):
    quantizer = kind(bits)
    quantizer.prepare(X)
    quantizer.with_scale(scale)
    if offset:
        quantizer.params()["offset"].data.fill(offset)
    return quantizer


def test_calibration_starts_the_offset_anew():
    """The step is found for a grid around 0: values near an old offset would all be clipped."""
    quantizer = started(offset=3.0).with_scale(0.2)
    assert quantizer.offset == 0
    close(quantizer.forward(X)[0], started().forward(X)[0], EXACT)


def test_the_grid_is_that_of_lsq_moved_by_the_offset():
    close(started().forward(X)[0], started(LSQAct).forward(X)[0], EXACT)
    moved = started(offset=0.5).forward(X + 0.5)[0]
    close(moved, started(LSQAct).forward((X + 0.5) - 0.5)[0] + 0.5, EXACT)


def test_the_gradient_of_the_offset_is_that_of_the_paper():
    quantizer, lsq = started(offset=0.3), started(LSQAct)
    dx = quantizer.backward(DX_HAT, quantizer.forward(X)[1])
    inside = np.abs(X - 0.3) < 7 * 0.2
    close(dx, DX_HAT * inside, EXACT)
    close(quantizer.params()["offset"].grad, np.array([(DX_HAT * ~inside).sum()]), ROUNDOFF64)
    lsq.backward(DX_HAT, lsq.forward(X - 0.3)[1])
    close(quantizer.params()["end"].grad, lsq.params()["end"].grad, ROUNDOFF64)


def test_descent_moves_the_grid_to_values_of_one_sign():
    x, quantizer = np.abs(X), started(bits=3, scale=0.3)
    first = np.square(quantizer.forward(x)[0] - x).mean()
    for _ in range(300):
        x_hat, cache = quantizer.forward(x)
        for param in quantizer.params().values():
            param.grad.fill(0)
        quantizer.backward((x_hat - x) / x.size, cache)
        for param in quantizer.params().values():
            param.data -= param.grad
    assert quantizer.params()["offset"].data[0] > 0.3
    assert np.square(quantizer.forward(x)[0] - x).mean() < first / 4


def test_it_runs_as_floats_and_has_no_packed_form(tmp_path):
    model = tv.create_model("deit_shapes", depth=1, dim=16)
    tv.quantize(model, Plan([("blocks.*(qkv|fc2)", Ternary(), LSQPlusAct(8))]))
    images = np.random.default_rng(1).normal(size=(2, 3, 32, 32)).astype(np.float32)
    tv.calibrate(model, images)
    assert not is_int8_activation(LSQPlusAct(8))
    assert np.isfinite(model.predict(images)).all()
    with pytest.raises(ValueError, match=r"blocks.0.attn.qkv has inputs .* with a learned offset"):
        tv.export(model, tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match="no integer codes"):
        started().encode(X)


def test_plan_files_have_a_word():
    quantizer = quantizer_from_words("int4-lsq+", "inputs")
    assert (type(quantizer), quantizer.bits) == (LSQPlusAct, 4)
    assert json.loads(quantizer_to_words(quantizer, "inputs")) == "int4-lsq+"
    assert repr(quantizer) == "int4 LSQPlus (not calibrated)"
