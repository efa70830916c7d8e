import numpy as np
import pytest

import tervit_np as tv
from tervit_np.param import Param
from tervit_np.train import EMA
from tests.checks import BACKENDS, ROUNDOFF32, ROUNDOFF64, close

VALUES = np.random.default_rng(0).normal(size=(30, 2, 3))


def run(dtype, decay=0.9, values=VALUES):
    param = Param(np.zeros((2, 3), dtype))
    ema = EMA([("w", param)], decay)
    for value in values:
        param.data[...] = value
        ema.update()
    return ema, param


def test_the_average_follows_the_formula():
    ema, _ = run("float64")
    average = np.zeros((2, 3))
    for t, value in enumerate(VALUES):
        d = min(0.9, (1 + t) / (10 + t))
        average = d * average + (1 - d) * value
    close(ema.average["w"], average, ROUNDOFF64)
    assert ema.steps == 30


@pytest.mark.parametrize("backend", BACKENDS)
def test_single_precision_follows_double(backend):
    with tv.backend(backend):
        ema, _ = run("float32")
    assert ema.average["w"].dtype == np.float32
    close(ema.average["w"], run("float64")[0].average["w"], ROUNDOFF32)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("decay", [0.98, 0.9999, 0.99996])
def test_the_average_of_weights_at_rest_is_these_weights(decay, backend):
    """In NumPy it went to 0.99983 of them with 0.9999, and to 1.00013 with DeiT's 0.99996."""
    param = Param(np.linspace(1, 2, 101, dtype=np.float32))
    ema = EMA([("w", param)], decay)
    ema.steps = 10**7  # d = decay
    with tv.backend(backend):
        for _ in range(3000):
            ema.update()
    np.testing.assert_array_equal(ema.average["w"], param.data)


def test_the_average_starts_at_the_parameters_and_leaves_them_quickly():
    ema, _ = run("float64", 0.999, values=[])
    assert not ema.average["w"].any()
    ema, _ = run("float64", 0.999, values=np.ones((20, 2, 3)))
    assert ema.average["w"].min() > 0.99


def test_swapping_twice_changes_nothing():
    ema, param = run("float64")
    data, average = param.data, ema.average["w"].copy()
    ema.swap()
    np.testing.assert_array_equal(param.data, average)
    np.testing.assert_array_equal(ema.average["w"], VALUES[-1])
    assert param.data is data
    ema.swap()
    np.testing.assert_array_equal(param.data, VALUES[-1])
    np.testing.assert_array_equal(ema.average["w"], average)


def test_a_loaded_average_goes_on_to_the_same_bits():
    uninterrupted, _ = run("float64")
    half, _ = run("float64", values=VALUES[:15])
    param = Param(np.zeros((2, 3)))
    again = EMA([("w", param)], 0.9)
    again.load({"w": half.average["w"]}, half.steps)
    for value in VALUES[15:]:
        param.data[...] = value
        again.update()
    np.testing.assert_array_equal(again.average["w"], uninterrupted.average["w"])


@pytest.mark.parametrize("decay", [1.0, -0.1, 99.9, np.nan])
def test_a_decay_that_averages_nothing_is_refused(decay):
    """Percent, as 99.9, were taken for no limit; NaN made every weight NaN."""
    with pytest.raises(ValueError, match="EMA: decay is .*, expected at least 0 and below 1"):
        EMA([], decay)
