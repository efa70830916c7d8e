import numpy as np
import pytest

import tervit_np as tv
from tervit_np.arrays import read_only
from tervit_np.quant import Ternary, ternarize
from tests.checks import BACKENDS, ROUNDOFF32, ROUNDOFF64, close

OPTIONS = [
    {"granularity": g, "threshold": t, "scale": s, "clip": c}
    for g in ("channel", "tensor")
    for t, s in [("twn", "support"), ("twn", "mean"), ("absmean", "mean"), ("exact", "support"),
                 (0.4, "support")]
    for c in (None, 0.8)
]  # fmt: skip


def weights(shape=(5, 11), dtype="float64", seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("shape", [(5, 11), (4, 3, 2, 2)])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_forward_is_ternarize_of_the_clipped_weight(options, shape):
    w = weights(shape)
    rest = {key: value for key, value in options.items() if key != "clip"}
    clip = options["clip"]
    expected = ternarize(w if clip is None else np.clip(w, -clip, clip), **rest)
    quantizer = Ternary(**options)
    np.testing.assert_array_equal(quantizer.forward(w)[0], expected.dequantize())
    codes = quantizer.encode(w)
    np.testing.assert_array_equal(codes.codes, expected.codes)
    np.testing.assert_array_equal(codes.scale, expected.scale)
    assert codes.zero_point == 0
    np.testing.assert_array_equal(codes.dequantize(), quantizer.forward(w)[0])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_float32_equals_the_codes_on_every_backend(options, backend):
    w = weights((4, 3, 2, 2), "float32")
    quantizer = Ternary(**options)
    with tv.backend(backend):
        w_hat, _ = quantizer.forward(w)
    assert w_hat.dtype == np.float32
    codes = quantizer.encode(w)
    np.testing.assert_array_equal(np.sign(w_hat), codes.codes)
    close(w_hat, codes.dequantize(), ROUNDOFF32)


def test_the_gradient_passes_straight_through():
    w, dw_hat = weights(), weights(seed=1)
    quantizer = Ternary()
    np.testing.assert_array_equal(quantizer.backward(dw_hat, quantizer.forward(w)[1]), dw_hat)


def test_the_clip_stops_the_gradient_at_and_beyond_it():
    w = np.array([[0.5, 1.0, -1.0, 2.0, -0.99]])
    quantizer = Ternary(clip=1.0)
    w_hat, cache = quantizer.forward(w)
    assert quantizer.backward(np.ones_like(w), cache).tolist() == [[1, 0, 0, 0, 1]]
    np.testing.assert_array_equal(w_hat, Ternary().forward(np.clip(w, -1, 1))[0])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_quantizing_twice_is_quantizing_once(options):
    """True for scale "support"; with "mean" the scale shrinks each time."""
    w_hat, _ = Ternary(**options).forward(weights())
    again, _ = Ternary(**options).forward(w_hat)
    if options["scale"] == "support":
        close(again, w_hat, ROUNDOFF64)
    else:
        assert np.abs(again).max() < np.abs(w_hat).max()


def test_the_latent_weight_is_only_read():
    w, dw_hat = read_only(weights()), read_only(weights(seed=1))
    for options in OPTIONS:
        quantizer = Ternary(**options)
        w_hat, cache = quantizer.forward(w, keep_residual=True)
        assert not np.shares_memory(w_hat, w)
        quantizer.backward(dw_hat, cache)
        quantizer.frozen(w, cache)


def test_the_residual_is_cached_on_request_only():
    quantizer = Ternary()
    _, cache = quantizer.forward(weights())
    assert cache.residual is None
    with pytest.raises(ValueError, match="keep_residual=True"):
        quantizer.frozen(weights(), cache)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("clip", [None, 2.0])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_weights_are_refused(bad, clip, backend):
    w = np.array([[1.0, bad]], np.float32)
    with tv.backend(backend), pytest.raises(ValueError, match="NaN or infinite"):
        Ternary(clip=clip).forward(w)


@pytest.mark.parametrize("backend", BACKENDS)
def test_huge_tiny_and_zero_rows_stay_finite(backend):
    big, tiny = np.finfo(np.float32).max, np.float32(1e-45)
    w = np.array([[big, -big, 0], [tiny, 0, -tiny], [0, 0, 0]], np.float32)
    with tv.backend(backend):
        np.testing.assert_array_equal(Ternary().forward(w)[0], w)


def test_options_are_checked_when_built():
    for clip in (0, -1.0, np.nan):
        with pytest.raises(ValueError, match="clip"):
            Ternary(clip=clip)
    with pytest.raises(ValueError, match="granularity"):
        Ternary("row")


def test_the_repr_states_the_rule():
    assert repr(Ternary()) == "ternary (channel, twn, support)"
    assert repr(Ternary("tensor", 0.4, clip=2.5)) == (
        "ternary (tensor, 0.4 mean|w|, support, clip 2.5)"
    )
