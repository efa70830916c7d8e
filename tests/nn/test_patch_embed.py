import numpy as np
import pytest

from tervit_np.nn import Conv3Stem, ConvStem, PatchEmbed, PatchProjection
from tests.checks import ROUNDOFF64, as_operator, check, check_accumulation, close, fill


def rng(seed=0):
    return np.random.default_rng(seed)


def test_the_projection_passes_all_checks():
    layer = fill(PatchProjection(2, 3, 5, "float64"), rng())
    check(as_operator(layer, rng(1).normal(size=(2, 2, 6, 3))))


def test_the_patch_embedding_passes_all_checks():
    check(as_operator(fill(PatchEmbed(2, 4, "float64"), rng()), rng(1).normal(size=(2, 3, 4, 4))))


@pytest.mark.parametrize(("patch", "size", "form"), [(4, 4, "erf"), (4, 12, "tanh"), (8, 8, "erf")])
def test_the_conv_stem_passes_all_checks(patch, size, form):
    stem = fill(ConvStem(patch, 4, form, "float64"), rng())
    operator = as_operator(stem, rng(1).normal(size=(1, 3, size, size)))
    y, _ = operator.forward(*operator.inputs.values())
    assert y.shape == (1, (size // patch) ** 2, 4)
    check(operator, tolerance=3e-5)


@pytest.mark.parametrize(("size", "form"), [(4, "erf"), (8, "tanh")])
def test_the_stem_of_three_convolutions_passes_all_checks(monkeypatch, size, form):
    monkeypatch.setattr(Conv3Stem, "WIDTHS", (3, 5))
    stem = fill(Conv3Stem(4, form, "float64"), rng())
    operator = as_operator(stem, rng(1).normal(size=(2, 3, size, size)))
    y, _ = operator.forward(*operator.inputs.values())
    assert y.shape == (2, (size // 4) ** 2, 4)
    check(operator, tolerance=3e-5)


def test_tokens_of_three_convolutions_are_in_the_order_of_patches(monkeypatch):
    """Only the tokens near a pixel see it; the windows of the stem reach 7 pixels back."""
    monkeypatch.setattr(Conv3Stem, "WIDTHS", (3, 5))
    stem, images = fill(Conv3Stem(4, dtype="float64"), rng()), rng(1).normal(size=(1, 3, 16, 16))
    before = stem.forward(images)[0]
    images[0, :, 1, 14] += 1  # row 0, column 3 of 4 x 4 tokens
    changed = np.flatnonzero((stem.forward(images)[0] != before).any(axis=-1)[0])
    assert changed.tolist() == [3, 7]


@pytest.mark.parametrize(
    "kind", [PatchEmbed, ConvStem, lambda patch, dim, dtype: Conv3Stem(dim, dtype=dtype)]
)
def test_gradients_accumulate_and_the_images_may_be_skipped(kind):
    embed = fill(kind(4, 4, dtype="float64"), rng())
    images = rng(1).normal(size=(2, 3, 8, 8))
    check_accumulation(embed, images, rng(2))
    y, cache = embed.forward(images)
    dy = rng(3).normal(size=y.shape)
    assert embed.backward(dy, cache).shape == images.shape
    gradients = [p.grad.copy() for _, p in embed.named_params()]
    embed.zero_grad()
    assert embed.backward(dy, cache, input_grad=False) is None
    for (_, param), expected in zip(embed.named_params(), gradients, strict=True):
        np.testing.assert_array_equal(param.grad, expected)


def test_a_patch_is_multiplied_in_the_order_of_the_convolution():
    layer = fill(PatchProjection(3, 2, 4, "float64"), rng())
    images = rng(1).normal(size=(1, 3, 4, 6))
    tokens, _ = layer.forward(images)
    for i, j in np.ndindex(2, 3):
        cut = images[0, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        expected = (layer.weight.data * cut).sum(axis=(1, 2, 3)) + layer.bias.data
        close(tokens[0, 3 * i + j], expected, ROUNDOFF64)


def test_names_and_shapes_match_the_checkpoints():
    assert [(n, p.shape) for n, p in PatchEmbed(16, 8).named_params()] == [
        ("proj.weight", (8, 3, 16, 16)),
        ("proj.bias", (8,)),
    ]
    assert [(n, p.shape) for n, p in ConvStem(8, 16).named_params()] == [
        ("conv1.weight", (4, 3, 3, 3)),
        ("conv1.bias", (4,)),
        ("conv2.weight", (8, 4, 3, 3)),
        ("conv2.bias", (8,)),
        ("proj.weight", (16, 8, 2, 2)),
        ("proj.bias", (16,)),
    ]
    assert [p.shape for n, p in Conv3Stem(16).named_params() if n.endswith("weight")] == [
        (32, 3, 3, 3),
        (64, 32, 3, 3),
        (16, 64, 3, 3),
    ]
