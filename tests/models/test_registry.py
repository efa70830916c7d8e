import numpy as np
import pytest

import tervit_np as tv
from tervit_np.models import CONFIGS, deit
from tervit_np.models.registry import MODELS

IMAGENET = {
    "deit_tiny_patch16_224": (5_717_416, 152),
    "deit_small_patch16_224": (22_050_664, 152),
    "deit_base_patch16_224": (86_567_656, 152),
    "deit_tiny_distilled_patch16_224": (5_910_800, 155),
    "deit_small_distilled_patch16_224": (22_436_432, 155),
    "deit_base_distilled_patch16_224": (87_338_192, 155),
}


@pytest.mark.parametrize("name", IMAGENET)
def test_parameters_are_counted_as_published(name, monkeypatch):
    monkeypatch.setattr(deit, "initialize", lambda *_: None)  # zeros take no memory until touched
    model = tv.create_model(name)
    assert (model.num_params(), len(model.named_params())) == IMAGENET[name]


def test_list_models_has_the_promised_names():
    names = tv.list_models()
    assert names == sorted(set(names))
    assert {*IMAGENET, "deit_shapes", "deit_cifar", "deit_cifar_p4"} <= set(names)


@pytest.mark.parametrize("name", ["deit_shapes", "deit_cifar", "deit_cifar_p4"])
def test_the_small_models_run(name):
    model = tv.create_model(name)
    logits, _ = model.forward(np.zeros((1, 3, 32, 32), np.float32))
    assert logits.shape == (1, 10)
    assert logits.dtype == np.float32


def test_the_small_models_have_the_promised_configurations():
    shapes, cifar, fine = (CONFIGS[f"deit_{k}"] for k in ("shapes", "cifar", "cifar_p4"))
    assert (shapes.patch_size, shapes.dim, shapes.depth, shapes.stem) == (8, 64, 4, "linear")
    assert (cifar.patch_size, cifar.dim, cifar.depth, cifar.stem) == (8, 96, 4, "conv")
    assert (fine.patch_size, fine.dim, fine.depth) == (4, 192, 6)
    assert {c.pool for c in (shapes, cifar, fine)} == {"mean"}


def test_keyword_arguments_override_the_configuration():
    model = tv.create_model("deit_shapes", num_classes=7, depth=1, dtype="float64", pool="cls")
    assert model.config.num_classes == 7
    assert len(model.blocks) == 1
    assert model.dtype == np.float64
    assert model.cls_token.shape == (1, 1, 64)
    assert CONFIGS["deit_shapes"].num_classes == 10


def test_the_seed_determines_the_parameters():
    one, same, other = (tv.create_model("deit_shapes", seed=s).state_dict() for s in (1, 1, 2))
    for name, value in one.items():
        np.testing.assert_array_equal(value, same[name])
    assert any((one[name] != other[name]).any() for name in one)


def test_single_precision_is_rounded_double_precision():
    single = tv.create_model("deit_shapes", seed=3).state_dict()
    double = tv.create_model("deit_shapes", seed=3, dtype="float64").state_dict()
    for name, value in single.items():
        np.testing.assert_array_equal(value, double[name].astype(np.float32))


def test_unknown_names_and_fields_are_refused():
    with pytest.raises(ValueError, match="unknown model 'resnet50'; known: deit_base_dist"):
        tv.create_model("resnet50")
    with pytest.raises(ValueError, match="unknown configuration field 'width'; known: image_size"):
        tv.create_model("deit_shapes", width=3)
    with pytest.raises(ValueError, match="num_classes is 0"):
        tv.create_model("deit_shapes", num_classes=0)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("deit_shapes", {"window": 7}, "window is an option of a Swin, and this model is a DeiT"),
        ("deit_shapes", {"depths": (1,)}, "depths is an option of a Swin"),
        ("swin_cifar", {"pool": "cls"}, "pool is an option of a DeiT, and this model is a Swin"),
        ("swin_cifar", {"distilled": True}, "distilled is an option of a DeiT"),
    ],
)
def test_options_of_the_other_model_are_named(name, change, words):
    with pytest.raises(ValueError, match=words):
        tv.create_model(name, **change)


@pytest.mark.parametrize("name", ["deit_shapes", "swin_cifar"])
def test_a_model_that_does_not_fit_into_memory_is_refused(monkeypatch, name):
    def full(*_):
        raise MemoryError

    config = CONFIGS[name]
    kind = type(config).__name__.removesuffix("Config")
    monkeypatch.setitem(MODELS, kind, (full, type(config)))
    with pytest.raises(ValueError, match="parameters does not fit into memory; choose a smaller"):
        tv.create_model(name)
