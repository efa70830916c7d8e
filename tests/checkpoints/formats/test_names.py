import numpy as np
import pytest

import tervit_np as tv
from tervit_np.checkpoints.formats.names import official_names


def hugging_face(state, prefix):
    """Rename a DeiT state dict the other way."""
    out = {}
    pairs = [
        ("cls_token", "embeddings.cls_token"),
        ("dist_token", "embeddings.distillation_token"),
        ("pos_embed", "embeddings.position_embeddings"),
        ("patch_embed.proj", "embeddings.patch_embeddings.projection"),
        ("blocks.", "encoder.layer."),
        (".norm1.", ".layernorm_before."),
        (".norm2.", ".layernorm_after."),
        (".attn.proj.", ".attention.output.dense."),
        (".mlp.fc1.", ".intermediate.dense."),
        (".mlp.fc2.", ".output.dense."),
    ]
    heads = {"head": "cls_classifier" if prefix == "deit" else "classifier",
             "head_dist": "distillation_classifier"}  # fmt: skip
    for name, value in state.items():
        if name.split(".")[0] in heads:
            out[name.replace(name.split(".")[0], heads[name.split(".")[0]], 1)] = value
            continue
        new = "layernorm." + name.removeprefix("norm.") if name.startswith("norm.") else name
        for ours, arrays in pairs:
            new = new.replace(ours, arrays)
        if ".attn.qkv." in new:
            for part, rows in zip(("query", "key", "value"), np.split(value, 3), strict=True):
                out[f"{prefix}.{new.replace('attn.qkv', f'attention.attention.{part}')}"] = rows
        else:
            out[f"{prefix}.{new}"] = value
    return out


@pytest.mark.parametrize(("prefix", "distilled"), [("vit", False), ("deit", True)])
def test_hugging_face_names_are_renamed(prefix, distilled):
    config = tv.DeiTConfig(16, 8, 5, 12, 2, 3, distilled=distilled)
    state = tv.DeiT(config, np.random.default_rng(0)).state_dict()
    renamed = official_names(hugging_face(state, prefix))
    assert set(renamed) == set(state)
    for name, value in state.items():
        np.testing.assert_array_equal(renamed[name], value, err_msg=name)


def test_official_names_stay():
    state = tv.create_model("deit_shapes").state_dict()
    assert list(official_names(state)) == list(state)


def test_timm_merging_layers_and_head_are_renamed():
    arrays = {"layers.1.downsample.norm.weight": np.ones(1), "head.fc.weight": np.ones(2)}
    assert set(official_names(arrays)) == {"layers.0.downsample.norm.weight", "head.weight"}


def test_official_merging_layers_stay():
    arrays = {
        "layers.0.downsample.norm.weight": np.ones(1),
        "layers.1.downsample.norm.weight": np.ones(1),
    }
    assert set(official_names(arrays)) == set(arrays)


def test_hugging_face_swin_is_renamed():
    arrays = {
        "swin.encoder.layers.0.blocks.1.attention.self.relative_position_bias_table": np.ones(1),
        "swin.encoder.layers.0.blocks.1.attention.self.query.weight": np.ones((2, 2)),
        "swin.encoder.layers.0.blocks.1.attention.self.key.weight": np.ones((2, 2)),
        "swin.encoder.layers.0.blocks.1.attention.self.value.weight": np.ones((2, 2)),
        "swin.encoder.layers.0.blocks.1.layernorm_before.bias": np.ones(1),
        "swin.encoder.layers.0.downsample.reduction.weight": np.ones(1),
        "swin.embeddings.norm.weight": np.ones(1),
        "swin.layernorm.weight": np.ones(1),
        "classifier.bias": np.ones(1),
    }
    assert set(official_names(arrays)) == {
        "layers.0.blocks.1.attn.relative_position_bias_table",
        "layers.0.blocks.1.attn.qkv.weight",
        "layers.0.blocks.1.norm1.bias",
        "layers.0.downsample.reduction.weight",
        "patch_embed.norm.weight",
        "norm.weight",
        "head.bias",
    }


def test_contradicting_names_are_refused():
    name = "vit.encoder.layer.0.attention.attention.{}.weight"
    with pytest.raises(ValueError, match=r"attn\.value\.weight is missing"):
        official_names({name.format(p): np.ones((2, 2)) for p in ("query", "key")})
    with pytest.raises(ValueError, match=r"attn\.query\.weight is missing"):
        official_names({name.format("key"): np.ones((2, 2))})
    with pytest.raises(ValueError, match="two tensors are named head.weight"):
        official_names({"vit.x": 1, "classifier.weight": 1, "cls_classifier.weight": 1})
