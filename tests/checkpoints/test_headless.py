"""Weights whose classifier was removed."""

import numpy as np
import pytest

import tervit_np as tv
from tests.checkpoints.forms import headless, hugging_face, prefixed, state_of, timm_swin

pytestmark = pytest.mark.usefixtures("small_models")
HEADLESS = {
    "num_classes=0 of timm": ("deit", headless, ["head"]),
    "distilled": ("distilled", headless, ["head", "head_dist"]),
    "Swin": ("swin", lambda s: timm_swin(headless(s)), ["head"]),
    "bare ViTModel": ("deit", lambda s: hugging_face(headless(s)), ["head"]),
    "DINO's projection": (
        "deit",
        lambda s: prefixed("backbone.", headless(s))
        | {"head.mlp.0.weight": np.ones((8, 12), "f4"),
           "head.last_layer.weight_g": np.ones((4, 1), "f4")},
        ["head"],
    ),
    "one of two heads": (
        "distilled",
        lambda s: {k: v for k, v in s.items() if not k.startswith("head_dist")},
        ["head_dist"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", HEADLESS)
def test_a_head_is_drawn_where_the_classes_are_given(form):
    name, save, heads = HEADLESS[form]
    expected = state_of(name)
    model, changes = tv.pretrained(save(expected), num_classes=7, seed=3)
    assert model.config.num_classes == 7
    for head in heads:
        assert f"{head}.weight: absent, drawn anew for 7 classes" in changes
    fresh = tv.create_model(name, num_classes=7, seed=3).state_dict()
    for key, value in model.state_dict().items():
        source = fresh if key.startswith("head") else expected
        np.testing.assert_array_equal(value, source[key], err_msg=key)


@pytest.mark.parametrize("form", HEADLESS)
def test_weights_without_a_head_need_a_number_of_classes(form):
    name, save, heads = HEADLESS[form]
    with pytest.raises(ValueError, match=f"{heads[0]}.weight is missing: these weights") as info:
        tv.pretrained(save(state_of(name)))
    assert "; `tervit train --weights FILE --data SET` draws and trains one" in str(info.value)


@pytest.mark.parametrize("other", ["cls_head.fc.weight", "head.mlp.0.weight", "linear.weight"])
def test_a_head_of_another_form_is_named(other):
    state = prefixed("backbone.", headless(state_of("deit"))) | {other: np.ones((5, 12), "f4")}
    with pytest.raises(ValueError, match=f"no classifier .*left out '{other}'"):
        tv.pretrained(state)
