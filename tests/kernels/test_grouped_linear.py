"""Layers with a scale for each group of inputs: the formula, its bits, and what is refused."""

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.kernels import grouped_linear, isa, pack_groups, quantize_tokens, runnable
from tervit_np.nn import Linear
from tervit_np.quant import LSQ, StaticAct, Ternary, UniformAct, UniformWeight, fixed_scale
from tests.checks import BACKENDS, relative_error

VARIANTS = (*runnable(), isa.EMULATED) if "numba" in BACKENDS else ("numpy",)


def drawn(tokens, outputs, groups, size, largest):
    """Draw tokens, codes up to the largest, and scales."""
    rng = np.random.default_rng(tokens + size)
    x = rng.normal(size=(tokens, groups * size)).astype(np.float32)
    codes = rng.integers(-largest, largest + 1, (outputs, groups * size)).astype(np.int8)
    return x, codes, rng.uniform(0.1, 1, (outputs, groups)).astype(np.float32)


def by_formula(x, codes, scale, input_scale):
    """Follow the docstring: int64 sums, then float32 in its order."""
    tokens, size = quantize_tokens(x, input_scale=input_scale), codes.shape[1] // scale.shape[1]
    y = np.zeros((len(x), len(codes)), np.float32)
    for g in range(scale.shape[1]):
        inputs = slice(g * size, (g + 1) * size)
        sums = tokens.q[:, inputs].astype(np.int64) @ codes[:, inputs].astype(np.int64).T
        y = y + sums.astype(np.float32) * scale[:, g]
    return y * tokens.scale[:, None]


@pytest.mark.parametrize("largest", [1, 7, 127])
@pytest.mark.parametrize(
    ("tokens", "outputs", "groups", "size"),
    [(1, 5, 2, 4), (13, 65, 3, 32), (8, 17, 5, 3), (2, 3, 1, 6), (0, 4, 2, 4)],
)
def test_every_variant_gives_the_bits_of_the_formula(tokens, outputs, groups, size, largest):
    x, codes, scale = drawn(tokens, outputs, groups, size, largest)
    for input_scale in (0.0, 0.015):
        layer = pack_groups(codes, scale, input_scale, is_ternary=largest == 1)
        expected = by_formula(x, codes, scale, np.float32(input_scale))
        for variant in VARIANTS:
            y = grouped_linear(x, layer, variant=variant)
            assert y.dtype == np.float32
            np.testing.assert_array_equal(y, expected, err_msg=variant)


def test_an_example_by_hand():
    """The token is its own codes, 127 the largest: 2 (127 - 2) + 3 (-1) = 247, plus 1."""
    codes = np.array([[1, -1, -1, 0]], np.int8)
    layer = pack_groups(codes, np.array([[2, 3]], np.float32), is_ternary=True)
    y = grouped_linear(np.array([[127, 2, 1, 5]], np.float32), layer, np.ones(1))
    assert y.tolist() == [[248]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("act", [UniformAct(8), StaticAct(8, 0.015)], ids=["dynamic", "static"])
@pytest.mark.parametrize("rule", [Ternary("group8"), LSQ(2, "group16"), UniformWeight(4, "group4")])
def test_it_equals_the_trained_layer(rule, act, backend):
    rng = np.random.default_rng(1)
    trained = Linear(48, 70, weight_quant=rule, act_quant=act)
    trained.weight.data[...] = rng.normal(size=(70, 48))
    rule.prepare(trained.weight.data)
    trained.bias.data[...] = rng.normal(size=70)
    x = rng.normal(size=(9, 48)).astype(np.float32)
    x[4] = 0
    codes, scale, _ = rule.encode(trained.weight.data)
    layer = pack_groups(codes, scale, fixed_scale(act), is_ternary=rule.is_ternary)
    with tv.backend(backend):
        y = grouped_linear(x, layer, trained.bias.data)
    assert relative_error(y, trained.forward(x)[0]) < 1e-6


def test_ternary_groups_take_two_bits_in_memory():
    _, codes, scale = drawn(1, 64, 4, 32, 1)
    layer = pack_groups(codes, scale, is_ternary=True)
    assert 4 * sum(group.packed.nbytes for group in layer.groups) == codes.size


@pytest.mark.parametrize(
    ("codes", "scale", "words"),
    [
        (np.ones((2, 6), np.int8), np.ones((2, 4)), "6 inputs cannot be cut into 4 equal groups"),
        (np.ones((2, 6), np.int8), np.ones(2), r"scales \(2,\); expected \(out, in\)"),
        (np.ones((2, 6), np.int8), np.ones((3, 2)), r"codes are \(2, 6\), scales \(3, 2\)"),
        (np.ones((2, 6), np.int8), np.ones((2, 0)), "scales"),
        (np.ones((2, 6), np.int8), np.full((2, 2), np.nan), "a scale is NaN or infinite"),
        (np.full((2, 6), 2, np.int8), np.ones((2, 2)), "integers -1, 0 or 1"),
    ],
)
def test_what_cannot_be_packed_is_refused(codes, scale, words):
    with pytest.raises(ValueError, match=words):
        pack_groups(codes, scale, is_ternary=True)


def test_wrong_arguments_are_refused():
    layer = pack_groups(np.ones((3, 4), np.int8), np.ones((3, 2)), is_ternary=True)
    with pytest.raises(ValueError, match=r"x is \(2, 5\), expected \(tokens, 4\)"):
        grouped_linear(np.zeros((2, 5)), layer)
    with pytest.raises(ValueError, match=r"bias is \(2,\), expected \(3,\)"):
        grouped_linear(np.zeros((2, 4)), layer, np.zeros(2))
    with pytest.raises(ValueError, match="NaN or infinite"):
        grouped_linear(np.full((2, 4), np.inf), layer)
    with pytest.raises(ValueError, match="no kernel 'avx3'"):
        grouped_linear(np.zeros((2, 4)), layer, variant="avx3")
