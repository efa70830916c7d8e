"""The kernels of the matrix unit, on its emulation: exact sums, and the bits of other variants.

tests/bench/test_cross_compile.py reads the instructions that they become.
"""

import numpy as np
import pytest

from tervit_np.bfloat16 import bfloat16_bits
from tervit_np.kernels import int8_linear, integer_product, pack, pack_int8, ternary_linear
from tervit_np.kernels.matrix_unit import MatrixUnit, multiply
from tests.kernels.test_ternary_linear import random_integers

numba = pytest.importorskip("numba")
from tervit_np.compiled import amx_emulation  # noqa: E402
from tervit_np.kernels.amx_weights import AFFINE  # noqa: E402
from tervit_np.kernels.tiles import TILES  # noqa: E402

EMULATED = "amx_emulated"
BYTES = (-128, -127, -1, 0, 1, 127)


def random_tiles(rng, dtype):
    if dtype == np.int8:
        tiles = rng.integers(-128, 128, (3, 16, 64)).astype(np.int8)
        tiles[1, 0], tiles[2, :, :4] = 127, -128  # the largest sums
        return tiles.view(np.int32).reshape(3, 16, 16)
    tiles = rng.normal(size=(3, 16, 32)).astype(np.float32) * 10.0 ** rng.integers(
        -6, 6, (3, 16, 1)
    )
    tiles[0] = 0
    return bfloat16_bits(tiles.astype(np.float32)).view(np.int32).reshape(3, 16, 16)


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
def test_compiled_instructions_are_those_of_the_numpy_unit(dtype):
    """Load, dot and store, several times, to the same bits."""
    name = "dot_int8" if dtype == np.int8 else "dot_bf16"
    tiles, unit = random_tiles(np.random.default_rng(0), dtype), MatrixUnit()
    registers = np.zeros((8, 16, 16), np.int32)
    for t, tile in enumerate(tiles):
        amx_emulation.tile_load(registers, t, tile, 0, 64)
        unit.load(t, tile)
    for _ in range(3):
        getattr(amx_emulation, name)(registers, 0, 1, 2)
        getattr(unit, name)(0, 1, 2)
    stored = np.zeros((16, 16), np.int32)
    amx_emulation.tile_store(registers, 0, stored, 0, 64)
    np.testing.assert_array_equal(stored, unit.sums(0))
    assert stored.any()
    amx_emulation.tile_zero(registers, 0)
    assert not registers[0].any()


@pytest.mark.parametrize("shape", [(1, 1, 1), (16, 64, 16), (17, 65, 33), (40, 200, 20)])
def test_three_loops_over_tiles_are_the_product(shape):
    m, k, n = shape
    rng = np.random.default_rng(1)
    a, b = rng.choice(BYTES, (m, k)).astype(np.int8), rng.choice(BYTES, (k, n)).astype(np.int8)
    np.testing.assert_array_equal(multiply(a, b), a.astype(np.int64) @ b.astype(np.int64))


def test_sums_of_bfloat16_are_float32():
    rng = np.random.default_rng(2)
    a, b = (
        rng.normal(size=(20, 70)).astype(np.float32),
        rng.normal(size=(70, 33)).astype(np.float32),
    )
    a, b = (bfloat16_bits(x).astype(np.uint32) << 16 for x in (a, b))
    a, b = a.view(np.float32), b.view(np.float32)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    magnitude = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    assert (np.abs(multiply(a, b) - exact) < 40 * 2.0**-24 * magnitude).all()


@pytest.mark.parametrize("m", [7, 15, 16, 17, 31, 32, 33, 48, 65, 520])
def test_sums_around_the_edges_of_tiles_are_exact(m):
    """Tiles of 16 and 32 tokens, of 32 outputs, of 64 inputs; chunks of 768, passes of 512."""
    for k in (1, 4, 63, 64, 65, 129, 767, 768, 769, 1600) if m < 50 else (64, 770):
        for n in (1, 31, 32, 33, 64, 65, 130) if k < 200 else (33,):
            x, t = random_integers(m, k, n, seed=m * k * n)
            sums = integer_product(x, pack(t, 1.0), EMULATED)
            np.testing.assert_array_equal(sums, x.astype(np.int64) @ t.T.astype(np.int64))


@pytest.mark.parametrize("input_scale", [0.0, 0.02])
@pytest.mark.parametrize("shape", [(7, 5, 3), (40, 130, 70), (70, 900, 33)])
def test_layers_have_the_bits_of_other_variants(shape, input_scale):
    m, k, n = shape
    rng = np.random.default_rng(3)
    x = (rng.normal(size=(m, k)) * 10.0 ** rng.integers(-30, 30, (m, 1))).astype(np.float32)
    x[m // 2] = 0
    packed = pack(random_integers(1, k, n)[1], rng.random(n).astype(np.float32), input_scale)
    bias = rng.normal(size=n).astype(np.float32)
    expected = ternary_linear(x, packed, bias, "generic")
    np.testing.assert_array_equal(ternary_linear(x, packed, bias, EMULATED), expected)
    np.testing.assert_array_equal(ternary_linear(x, packed, bias, EMULATED, threads=2), expected)


@pytest.mark.parametrize("shape", [(7, 5, 3), (16, 64, 16), (40, 130, 70), (33, 900, 10)])
def test_layers_of_8_bits_have_the_bits_of_other_variants(monkeypatch, shape):
    m, k, n = shape
    rng = np.random.default_rng(4)
    layer = pack_int8(rng.choice(BYTES, (n, k)).astype(np.int8), rng.random(n).astype(np.float32))
    x, bias = rng.normal(size=(m, k)).astype(np.float32), rng.normal(size=n).astype(np.float32)
    monkeypatch.setenv("TERVIT_KERNEL", "generic")
    expected = int8_linear(x, layer, bias)
    monkeypatch.setenv("TERVIT_KERNEL", EMULATED)
    found = int8_linear(x, layer, bias)
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, expected)


def test_one_instruction_unpacks_a_slot():
    """gf2p8affineqb by its definition: bit i is a parity, inverted. For all bytes and slots."""
    for slot in range(4):
        rows = (AFFINE << 2 * slot).to_bytes(8, "little")
        for byte in range(256):
            bits = [~(rows[7 - i] & byte).bit_count() & 1 for i in range(8)]
            found = np.uint8(sum(bit << i for i, bit in enumerate(bits))).view(np.int8)
            if (code := byte >> 2 * slot & 3) < 3:
                assert found == code - 1


def test_output_begins_at_a_cache_line():
    from tervit_np.kernels.ternary_gemm import quantize_and_multiply

    packed, none = pack(random_integers(1, 8, 100)[1], 1.0), np.empty(0, np.float32)
    for name in ("generic", EMULATED):
        outs = [quantize_and_multiply(TILES[name], np.ones((9, 8), np.float32), packed, none)
                for _ in range(4)]  # fmt: skip
        assert all(out.ctypes.data % 64 == 0 for out in outs)
