import re

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.kernels import Panels, pack, pack_int8, quantize_tokens, unpack
from tervit_np.quant import StaticAct, UniformAct
from tests.checks import BACKENDS


def random_codes(shape, seed=0):
    return np.random.default_rng(seed).integers(-1, 2, shape).astype(np.int8)


@pytest.mark.parametrize("outputs", [1, 15, 16, 17, 63, 64, 65, 128, 130])
@pytest.mark.parametrize("inputs", [1, 3, 4, 5, 48])
def test_unpacking_returns_the_codes(outputs, inputs):
    codes = random_codes((outputs, inputs), outputs * inputs)
    packed = pack(codes, np.arange(outputs))
    assert packed.packed.shape == (-(-outputs // 64), -(-inputs // 4), 64)
    np.testing.assert_array_equal(unpack(packed), codes)
    np.testing.assert_array_equal(packed.scale[:outputs], np.arange(outputs))
    assert not packed.scale[outputs:].any()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [">i2", "<i8", "i1"])
def test_codes_may_have_any_signed_type_and_order(backend, dtype):
    codes = random_codes((5, 7))
    with tv.backend(backend):
        packed = pack(codes.astype(dtype)[:, ::-1], 1.0)
    np.testing.assert_array_equal(unpack(packed), codes[:, ::-1])


def test_every_byte_is_unpacked_or_refused():
    """81 of 256 bytes hold four weights; each other byte has a pair of bits 11 and is refused."""
    unpacked = 0
    for byte in range(256):
        panels = np.full((1, 1, 64), 0b01010101, np.uint8)
        panels[0, 0, 4 * 5 + 2] = byte  # output 5 of each slot, input 2
        packed = Panels(panels, np.ones(64, np.float32), 64, 4)
        pairs = [byte >> 2 * s & 3 for s in range(4)]
        if 3 in pairs:
            with pytest.raises(ValueError, match="found the bits 11"):
                unpack(packed)
            continue
        codes = unpack(packed)
        unpacked += 1
        assert [codes[16 * s + 5, 2] + 1 for s in range(4)] == pairs
        np.testing.assert_array_equal(pack(codes, packed.scale).packed, panels)
    assert unpacked == 81


def test_a_weight_takes_two_bits():
    assert pack(random_codes((384, 192)), 1.0).packed.nbytes == 384 * 192 // 4


@pytest.mark.parametrize(
    ("codes", "scale", "message"),
    [
        (np.zeros((2, 3, 4), np.int8), 1, r"codes are \(2, 3, 4\), expected \(out, in\)"),
        (np.zeros((0, 3), np.int8), 1, "expected"),
        (np.zeros((1, 132_105), np.int8), 1, "in <= 132104"),
        (np.full((2, 3), 2, np.int8), 1, "integers -1, 0 or 1"),
        (np.full((2, 3), -128, np.int8), 1, "integers -1, 0 or 1"),
        (np.full((2, 3), 0.5), 1, "integers -1, 0 or 1"),
        (np.zeros((2, 3), np.int8), np.ones(3), r"scale is \(3,\), expected \(2,\)"),
        (np.zeros((2, 3), np.int8), np.array([1, np.nan]), "finite"),
    ],
)
def test_wrong_arguments_are_refused(codes, scale, message):
    with pytest.raises(ValueError, match=message):
        pack(codes, scale)


@pytest.mark.parametrize("scale", [1e-42, 1e-20, 1.0, 1e30])
@pytest.mark.parametrize("shape", [(1, 1), (5, 6), (13, 33)])
def test_tokens_are_quantized_as_in_training(shape, scale):
    """In NumPy and compiled, with zeros as padding to whole tiles and steps."""
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32) * np.float32(scale)
    x[shape[0] // 2] = 0
    expected = UniformAct(8).encode(x)
    quantized = [quantize_tokens(x, 6)]
    if "numba" in BACKENDS:
        from tervit_np.kernels.quantize import quantize_rows

        tokens = type(quantized[0])(*(np.full_like(a, 99) for a in quantized[0]))
        quantize_rows(x, x.shape[1], 0.0, tokens)
        quantized.append(tokens)
    for tokens in quantized:
        assert tokens.q.shape == (-(-shape[0] // 6) * 6, -(-shape[1] // 4) * 4)
        np.testing.assert_array_equal(tokens.q[: shape[0], : shape[1]], expected.codes)
        assert not tokens.q[shape[0] :].any()
        assert not tokens.q[:, shape[1] :].any()
        np.testing.assert_array_equal(tokens.scale[: shape[0]], expected.scale[:, 0])
        np.testing.assert_array_equal(tokens.row_sums, tokens.q.sum(axis=1, dtype=np.int32))


@pytest.mark.parametrize("scale", [1e-30, 0.01, 0.1, 1e28])
@pytest.mark.parametrize("shape", [(1, 1), (5, 6), (13, 33)])
def test_static_tokens_are_quantized_as_in_training(shape, scale):
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    x[0, 0] = 3e38
    quantizer = StaticAct(8, scale)
    expected = quantizer.encode(x)
    quantized = [quantize_tokens(x, 6, quantizer.scale)]
    if "numba" in BACKENDS:
        from tervit_np.kernels.quantize import quantize_rows

        tokens = type(quantized[0])(*(np.full_like(a, 99) for a in quantized[0]))
        quantize_rows(x, x.shape[1], quantizer.scale, tokens)
        quantized.append(tokens)
    for tokens in quantized:
        np.testing.assert_array_equal(tokens.q[: shape[0], : shape[1]], expected.codes)
        assert not tokens.q[shape[0] :].any()
        assert not tokens.q[:, shape[1] :].any()
        assert (tokens.scale[: shape[0]] == np.float32(scale)).all()
        np.testing.assert_array_equal(tokens.row_sums, tokens.q.sum(axis=1, dtype=np.int32))


@pytest.mark.parametrize("scale", [0.0, 0.1])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad, scale):
    x = np.ones((2, 3), np.float32)
    x[1, 2] = bad
    with pytest.raises(ValueError, match="NaN or infinite"):
        quantize_tokens(x, input_scale=scale)
    if "numba" in BACKENDS:
        from tervit_np.kernels.quantize import quantize_rows

        with pytest.raises(ValueError, match="NaN or infinite"):
            quantize_rows(x, 3, scale, quantize_tokens(np.ones((2, 3), np.float32)))


@pytest.mark.parametrize("wrong", [-0.1, np.nan, np.inf, 1e39, 1e30, 1e-39, 1e-50])
def test_input_scales_that_are_no_scales_are_refused(wrong):
    for pack_codes in (pack, pack_int8):
        with pytest.raises(ValueError, match=re.escape(f"input_scale is {wrong}; expected 0")):
            pack_codes(np.zeros((2, 3), np.int8), np.float32(1), wrong)


@pytest.mark.parametrize("shape", [(1, 1), (16, 4), (65, 7), (130, 48)])
def test_training_packs_the_same_panels(shape):
    pytest.importorskip("numba")
    from tervit_np.kernels.packing import pack_rows

    codes = random_codes(shape)
    scale = np.random.default_rng(2).random(shape[0]).astype(np.float32) + np.float32(0.1)
    codes[0] = 0
    panels, scales = pack_rows(codes * scale[:, None])
    with tv.backend("numpy"):
        expected = pack(codes, np.where(codes.any(axis=1), scale, 0))
    np.testing.assert_array_equal(panels, expected.packed)
    np.testing.assert_array_equal(pack(codes, scale).packed, expected.packed)
    np.testing.assert_array_equal(scales, expected.scale)


def test_a_reciprocal_and_two_corrections_are_a_division():
    """Where 512-bit vectors divide; next to halves above all, where a last bit would be seen."""
    pytest.importorskip("numba")
    from tervit_np.compiled.jit import kernel
    from tervit_np.kernels.quantize import quotient

    @kernel()
    def quotients(x, step, inverse, out):
        for i in range(x.size):
            out[i] = quotient(x[i], step, inverse)

    rng = np.random.default_rng(0)
    for exponent in (-99, -20, 0, 50, 99):
        for _ in range(20):
            step = np.float32((1 + rng.random()) * 2.0**exponent)
            halves = (rng.integers(-254, 255, 2000) / 2).astype(np.float32) * step
            near = (halves.view(np.int32) + rng.integers(-3, 4, 2000)).astype(np.int32)
            x = np.concatenate([near.view(np.float32), rng.uniform(-127, 127, 2000) * step])
            x = x[np.abs(x / step) >= 0.25].astype(np.float32)
            found = np.empty_like(x)
            quotients(x, step, np.float32(1) / step, found)
            np.testing.assert_array_equal(found, x / step)
