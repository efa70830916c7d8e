import numpy as np
import pytest

import tervit_np as tv
from tervit_np.checkpoints.formats.names import official_names
from tests.checkpoints.forms import hugging_face


@pytest.mark.parametrize(("head", "distilled"), [("classifier", False), ("cls_classifier", True)])
def test_hugging_face_names_are_renamed(head, distilled):
    config = tv.DeiTConfig(16, 8, 5, 12, 2, 3, distilled=distilled)
    state = tv.DeiT(config, np.random.default_rng(0)).state_dict()
    renamed = official_names(hugging_face(state, head=head))
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
        "encoder.layers.0.blocks.1.attention.self.relative_position_bias_table": np.ones(1),
        "encoder.layers.0.blocks.1.attention.self.query.weight": np.ones((2, 2)),
        "encoder.layers.0.blocks.1.attention.self.key.weight": np.ones((2, 2)),
        "encoder.layers.0.blocks.1.attention.self.value.weight": np.ones((2, 2)),
        "encoder.layers.0.blocks.1.layernorm_before.bias": np.ones(1),
        "encoder.layers.0.downsample.reduction.weight": np.ones(1),
        "embeddings.norm.weight": np.ones(1),
        "layernorm.weight": np.ones(1),
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
    name = "encoder.layer.0.attention.attention.{}.weight"
    first = {"embeddings.cls_token": np.ones(2)}
    with pytest.raises(ValueError, match=r"attn\.value\.weight is missing"):
        official_names(first | {name.format(p): np.ones((2, 2)) for p in ("query", "key")})
    with pytest.raises(ValueError, match=r"attn\.query\.weight is missing"):
        official_names(first | {name.format("key"): np.ones((2, 2))})
    with pytest.raises(ValueError, match=r"two tensors are named head\.weight"):
        official_names({"classifier.weight": np.ones(1), "cls_classifier.weight": np.ones(1)})
