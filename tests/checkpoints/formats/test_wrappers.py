import pytest

from tervit_np.checkpoints.formats.wrappers import find_model, flatten

PATCHES, HF = "patch_embed.proj.weight", "embeddings.patch_embeddings.projection.weight"


@pytest.mark.parametrize(
    "prefix", ["", "module.", "vit.", "backbone.", "a.b.c.", "state_dict.model._orig_mod."]
)
@pytest.mark.parametrize("patches", [PATCHES, HF])
def test_any_common_prefix_is_stripped(prefix, patches):
    found = find_model([prefix + patches, prefix + "norm.bias"])
    assert list(found.names.values()) == [patches, "norm.bias"]
    assert bool(found.notes) == (prefix not in ("", "vit."))


def test_names_without_a_model_lose_the_words_of_wrappers_alone():
    assert list(find_model(["model.w", "model.b"]).names.values()) == ["w", "b"]
    assert list(find_model(["norm.weight", "norm.bias"]).names.values()) == [
        "norm.weight",
        "norm.bias",
    ]
    assert list(find_model(["model"]).names.values()) == ["model"]
    assert find_model([]).names == {}


@pytest.mark.parametrize(
    ("prefixes", "chosen"),
    [
        (("", "ema."), ""),
        (("model.", "model_ema."), "model."),
        (("x.student.", "x.teacher."), "x.teacher."),
        (("net.encoder.", "net.momentum_encoder."), "net.encoder."),
        (("something.", "model."), "model."),
    ],
)
def test_the_usual_one_of_several_models_is_read(prefixes, chosen):
    found = find_model([prefix + PATCHES for prefix in prefixes])
    assert found.names == {chosen + PATCHES: PATCHES}
    assert "not read" in found.notes[-1]


@pytest.mark.parametrize("prefixes", [("a.", "b."), ("m.a.", "m.b."), ("a.", "a..b.")])
def test_unknown_models_in_one_file_are_refused(prefixes):
    with pytest.raises(ValueError, match=f"several models, whose names begin with {prefixes[0]!r}"):
        find_model([prefix + PATCHES for prefix in prefixes])


def test_a_head_beside_the_model_belongs_to_it():
    names = ["m.backbone." + PATCHES, "m.head.weight", "fc.bias", "m.head.0.weight", "loss.weight"]
    found = find_model(names)
    assert list(found.names.values()) == [PATCHES, "head.weight", "fc.bias"]
    assert "left out 'm.head.0.weight', 'loss.weight'" in found.notes


def test_a_head_in_the_model_is_preferred_to_one_beside_it():
    found = find_model(["m." + PATCHES, "m.head.weight", "head.weight"])
    assert found.names == {"m." + PATCHES: PATCHES, "m.head.weight": "head.weight"}
    assert "left out 'head.weight'" in found.notes


def test_two_names_that_become_one_are_refused():
    with pytest.raises(ValueError, match=r"two tensors are named norm\.bias"):
        find_model([PATCHES, "norm.bias", "_orig_mod.norm.bias"])


def test_nested_dictionaries_are_flattened():
    tree = {"a": 1, "b": {"c": 2, 0: 3, "d": {"e": 4}}}
    assert flatten(tree) == {"a": 1, "b.c": 2, "b.d.e": 4}
    deep = {"a": {"a": {"a": {"a": {"a": 1}}}}}
    assert flatten(deep) == {}


def test_dictionaries_that_contain_each_other_end():
    tree = {"w": 1}
    tree["self"] = tree
    assert flatten(tree) == {"w": 1}
    level = {str(i): 0 for i in range(1000)}
    for _ in range(3):
        level = {str(i): level for i in range(1000)}
    assert len(flatten(level)) == 1000
