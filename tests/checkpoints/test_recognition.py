import numpy as np
import pytest

import tervit_np as tv
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
        ("swin_cifar", {}),
        ("swin_cifar", {"window": 8}),
    ],
)
def test_the_image_size_of_a_swin_is_inferred(quick, name, sizes):
    model = tv.create_model(name, **sizes)
    assert recognise(model.state_dict())[1] == model.config


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
