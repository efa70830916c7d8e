import numpy as np
import pytest

import tervit_np as tv
from tervit_np.checkpoints.formats.buffers import Map
from tervit_np.checkpoints.recognition import Architecture, architecture, known_name, recognise
from tervit_np.models import deit, swin

FULL = [name for name in tv.list_models() if name.endswith("224")]


@pytest.fixture
def quick(monkeypatch):
    """Models of zeros, which take no memory until touched."""
    for module in (deit, swin):
        monkeypatch.setattr(module, "initialize", lambda *_: None)


@pytest.mark.parametrize("name", FULL)
def test_every_official_model_is_recognised_by_its_tensors(quick, name):
    model = tv.create_model(name)
    assert recognise(model.state_dict()) == (name, model.config)


def test_sizes_are_inferred_from_the_shapes(quick):
    changed = {"image_size": 160, "num_classes": 20}
    model = tv.create_model("deit_tiny_distilled_patch16_224", **changed)
    assert recognise(model.state_dict())[1] == model.config


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("swin_tiny_patch4_window7_224", {"window": 8, "image_size": 256, "num_classes": 7}),
        ("swin_tiny_patch4_window7_224", {"window": 14}),
        ("swin_tiny_patch4_window7_224", {"window": 14, "image_size": 448}),
        ("swin_base_patch4_window7_224", {"window": 12, "image_size": 384}),
        ("swin_cifar", {}),
        ("swin_cifar", {"window": 8}),
        ("swin_cifar_conv", {}),
    ],
)
def test_the_image_size_of_a_swin_is_inferred(quick, name, sizes):
    model = tv.create_model(name, **sizes)
    assert recognise(model.state_dict())[1] == model.config


@pytest.mark.parametrize(("size", "side"), [(448, 112), (672, 168)])
def test_a_mask_shows_the_image_size(quick, size, side):
    """Windows of 7 fit the maps of all these sizes."""
    model = tv.create_model("swin_tiny_patch4_window7_224", image_size=size)
    mask = Map("layers.0.blocks.1.attn_mask", 0, side, 7)
    assert recognise(model.state_dict(), [mask])[1] == model.config
    assert (
        recognise(model.state_dict(), [mask._replace(stage=1, side=side // 2)])[1] == model.config
    )


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        ([Map("a", 0, 16, 4)], "a belongs to windows of 4, the bias tables do not"),
        ([Map("a", 0, 56, 7), Map("b", 1, 56, 7)], "a to images of 224 and b to images of 448"),
        ([Map("a", 9, 56, 7)], "a belongs to windows of 7"),
    ],
)
def test_masks_that_contradict_the_tables_are_refused(quick, maps, words):
    with pytest.raises(ValueError, match=words):
        recognise(tv.create_model("swin_tiny_patch4_window7_224").state_dict(), maps)


@pytest.mark.parametrize(
    ("name", "windows"),
    [
        ("swin_tiny_patch4_window7_224", (7, 7, 14, 7)),
        ("swin_small_patch4_window7_224", (7, 7, 14, 7)),
        ("swin_base_patch4_window7_224", (14, 7, 14, 7)),
    ],
)
def test_swin_s3_is_refused_by_name(quick, name, windows):
    """Its stages have windows of different sizes; nothing is interpolated into another model."""
    model = tv.create_model(name)
    state = model.state_dict()
    for key, table in state.items():
        if key.endswith("relative_position_bias_table"):
            window = windows[int(key.split(".")[1])]
            state[key] = np.zeros(((2 * window - 1) ** 2, table.shape[1]), np.float32)
    for attempt in (lambda: tv.pretrained(state), lambda: tv.transfer(model, state)):
        with pytest.raises(ValueError, match=r"windows of its stages are .* Swin S3"):
            attempt()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("deit_cifar", {}),
        ("deit_cifar_p4", {}),
        ("deit_cifar_conv", {}),
        ("deit_cifar_conv", {"pool": "cls", "image_size": 64}),
        ("deit_tiny_patch16_224", {"pool": "mean"}),
        ("deit_cifar", {"pool": "cls", "image_size": 64}),
    ],
)
def test_stem_and_pooling_are_inferred(quick, name, change):
    model = tv.create_model(name, **change)
    assert recognise(model.state_dict()) == (name, model.config)


def test_a_missing_table_is_named(quick):
    state = tv.create_model("swin_cifar").state_dict()
    del state["layers.1.blocks.0.attn.relative_position_bias_table"]
    with pytest.raises(ValueError, match=r"layers\.1\.blocks\.0\.attn\.relative_position_bias"):
        tv.pretrained(state)


def test_unknown_architectures_are_refused():
    assert architecture({"conv1.weight": np.zeros((64, 3, 7, 7))}) is None
    with pytest.raises(ValueError, match="another kind of model"):
        recognise({"conv1.weight": np.zeros((64, 3, 7, 7))})
    other = tv.create_model("swin_cifar", depths=(3, 1)).state_dict()
    with pytest.raises(ValueError, match=r"a Swin of width \d+ with 3\+1 blocks"):
        recognise(other)


def test_an_architecture_has_a_readable_name():
    deit_small = Architecture("DeiT", 384, 16, (12,))
    assert str(deit_small) == "a DeiT of width 384 with 12 blocks on patches of 16"
    assert known_name(deit_small) == "deit_small_patch16_224"
    assert known_name(deit_small._replace(dim=385)) is None


def test_weights_that_claim_a_large_model_are_refused_before_it_is_built(quick):
    """The names of DeiT-Base, and hardly any numbers."""
    state = tv.create_model("deit_base_patch16_224").state_dict()
    small = {n: a if n in ("patch_embed.proj.weight", "pos_embed") else a.ravel()[:1]
             for n, a in state.items() if n != "head.weight"}  # fmt: skip
    with pytest.raises(
        ValueError, match=r"describes a model of 12 blocks and 86,567,656 parameters"
    ):
        tv.pretrained(small, num_classes=1000)


@pytest.mark.parametrize("window", [64, 500])
def test_bias_tables_of_huge_windows_are_refused(quick, window):
    """The index of a window has the fourth power of its side in numbers."""
    state = tv.create_model("swin_cifar").state_dict()
    for name, table in state.items():
        if name.endswith("relative_position_bias_table"):
            shape = (2 * window - 1) ** 2, table.shape[1]
            state[name] = np.broadcast_to(np.float32(0), shape)
    with pytest.raises(ValueError, match="describes a model of 6 blocks"):
        tv.pretrained(state)
