import numpy as np
import pytest

import tervit_np as tv
from tervit_np.checkpoints.interpolation import resize_grid
from tervit_np.models import CONFIGS
from tests.checks import relative_error

DEIT = {"image_size": 32, "patch_size": 8, "num_classes": 6, "dim": 12, "depth": 2, "heads": 2}
SWIN = {"image_size": 32, "patch_size": 2, "num_classes": 6, "dim": 6, "depths": (2, 1),
        "heads": (2, 3), "window": 4}  # fmt: skip


@pytest.fixture
def deit(monkeypatch):
    """A small distilled DeiT that is in the registry."""
    monkeypatch.setitem(CONFIGS, "small", tv.DeiTConfig(**DEIT, distilled=True))
    return tv.create_model("small", seed=1).state_dict()


@pytest.fixture
def swin(monkeypatch):
    monkeypatch.setitem(CONFIGS, "small", tv.SwinConfig(**SWIN))
    state = tv.create_model("small", seed=1).state_dict()
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=a.shape).astype(np.float32) for name, a in state.items()}


def test_equal_shapes_are_loaded_unchanged(deit):
    model, changes = tv.pretrained(deit)
    assert changes == []
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, deit[name])


def test_the_head_is_drawn_anew_for_another_number_of_classes(deit):
    model, changes = tv.pretrained(deit, num_classes=4, seed=3)
    assert changes == [
        "head.weight: 6 -> 4 classes, drawn anew",
        "head_dist.weight: 6 -> 4 classes, drawn anew",
    ]
    fresh = tv.create_model("small", num_classes=4, seed=3).state_dict()
    for name, value in model.state_dict().items():
        expected = fresh if name.startswith("head") else deit
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


@pytest.mark.parametrize("size", [16, 48])
def test_positions_are_interpolated_for_another_image_size(deit, size):
    """Class and distillation tokens keep their positions, the grid is interpolated."""
    model, changes = tv.pretrained(deit, image_size=size)
    side = size // 8
    assert changes == [f"pos_embed: 18 -> {2 + side * side} tokens, interpolated"]
    positions = model.state_dict()["pos_embed"]
    np.testing.assert_array_equal(positions[:, :2], deit["pos_embed"][:, :2])
    grid = resize_grid(deit["pos_embed"][0, 2:].reshape(4, 4, 12), side)
    np.testing.assert_array_equal(positions[0, 2:], grid.reshape(side * side, 12))


def test_bias_tables_are_interpolated_for_another_window(swin):
    model, changes = tv.pretrained(swin, window=8)
    assert len(changes) == 3
    name = "layers.0.blocks.1.attn.relative_position_bias_table"
    assert f"{name}: 49 -> 225 relative positions, interpolated" in changes
    expected = resize_grid(swin[name].reshape(7, 7, 2), 15).reshape(225, 2)
    np.testing.assert_array_equal(model.state_dict()[name], expected)


def test_a_window_shrinks_to_a_small_map(swin):
    model, _ = tv.pretrained(swin, image_size=8)
    assert model.state_dict()["layers.1.blocks.0.attn.relative_position_bias_table"].shape == (9, 3)


@pytest.mark.parametrize("change", [{"image_size": 48}, {"num_classes": 3, "window": 8}])
def test_an_adapted_model_trains(swin, change):
    model, _ = tv.pretrained(swin, dtype="float64", **change)
    x = np.random.default_rng(0).normal(size=(2, 3, *2 * (model.config.image_size,)))
    logits, cache = model.forward(x, train=True)
    model.backward(logits, cache)
    assert logits.shape == (2, model.config.num_classes)
    assert all(np.isfinite(p.grad).all() and p.grad.any() for n, p in model.named_params())


def test_smooth_positions_survive_interpolation_there_and_back(deit):
    """Interpolation keeps what the picture means: a slow wave is the same wave on a finer grid."""
    wave = np.cos(np.linspace(0, 1, 4))[:, None, None] * np.ones((4, 4, 12))
    deit["pos_embed"][0, 2:] = wave.reshape(16, 12)
    larger = tv.pretrained(deit, image_size=64)[0].state_dict()
    back = tv.pretrained(larger, image_size=32)[0].state_dict()["pos_embed"]
    assert relative_error(back, deit["pos_embed"]) < 0.02


def test_another_architecture_is_named(deit, swin):
    model = tv.create_model("deit_cifar")
    with pytest.raises(ValueError, match=r"weights of a Swin of width 6 with 2\+1 blocks") as info:
        tv.transfer(model, swin)
    assert "(small)" in str(info.value)
    assert "the model is a DeiT of width 96" in str(info.value)


def test_a_tensor_of_another_shape_is_named(deit):
    deit["blocks.0.mlp.fc1.weight"] = np.zeros((5, 12), np.float32)
    with pytest.raises(ValueError, match=r"blocks\.0\.mlp\.fc1\.weight"):
        tv.pretrained(deit)


def test_an_impossible_size_is_refused(deit):
    with pytest.raises(ValueError, match="image_size 33"):
        tv.pretrained(deit, image_size=33)
