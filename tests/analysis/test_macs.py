import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.macs import bit_widths, macs, ternary_macs


def test_macs_equal_a_count_by_hand():
    """16 patches of 4 x 4 and a class token: 17 tokens of 12, three heads."""
    model = tv.DeiT(tv.DeiTConfig(16, 4, 5, 12, 1, 3), np.random.default_rng(0))
    assert macs(model) == {
        "patch_embed.proj": 16 * 12 * 48,
        "blocks.0.attn.qkv": 17 * 12 * 36,
        "blocks.0.attn.products": 2 * 17 * 17 * 12,
        "blocks.0.attn.proj": 17 * 12 * 12,
        "blocks.0.mlp.fc1": 17 * 12 * 48,
        "blocks.0.mlp.fc2": 17 * 48 * 12,
        "head": 12 * 5,
    }


def test_ternary_macs_count_ternary_weights_alone():
    """Four layers of the block; patch embedding and head have 8 bits, attention has no weight."""
    model = tv.DeiT(tv.DeiTConfig(16, 4, 5, 12, 1, 3), np.random.default_rng(0))
    assert ternary_macs(tv.quantize(model, "ternary")) == 17 * 12 * (36 + 12 + 48 + 48)


@pytest.mark.parametrize(
    ("name", "billions"),
    [("deit_tiny_patch16_224", 1.26), ("deit_small_patch16_224", 4.61),
     ("swin_tiny_patch4_window7_224", 4.5)],
)  # fmt: skip
def test_macs_equal_the_published_ones(name, billions):
    """DeiT's and Swin's papers give 1.3, 4.6 and 4.5 billion."""
    assert sum(macs(tv.create_model(name)).values()) / 1e9 == pytest.approx(billions, rel=0.01)


def test_counting_does_not_change_the_model():
    model = tv.create_model("deit_shapes", depth=1)
    layer = model.blocks[0].mlp.fc1
    layer.forward = forward = layer.forward  # as one that a user has wrapped, which was removed
    macs(model)
    assert layer.forward is forward
    assert "forward" not in vars(model.head)


def test_layers_of_a_block_that_a_user_has_wrapped_count():
    model = tv.create_model("deit_shapes", depth=2)
    expected, block = macs(model), model.blocks[0]
    forward = block.forward
    block.forward = lambda *args, **options: forward(*args, **options)
    assert macs(model) == expected


def test_bit_widths_of_weights_and_inputs():
    model = tv.quantize(tv.create_model("deit_shapes", depth=1), "ternary")
    layers = dict(model.quantizable())
    assert bit_widths(layers["blocks.0.mlp.fc1"]) == "ternary / 8"
    assert bit_widths(layers["head"]) == "8 / 8"
    assert bit_widths(layers["blocks.0.attn.products"]) == "- / 32"
