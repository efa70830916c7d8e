"""Relatives of DeiT and Swin, and tensors that contradict each other, are refused by name."""

import numpy as np
import pytest

import tervit_np as tv
from tests.checkpoints.forms import hugging_face, prefixed, state_of

pytestmark = pytest.mark.usefixtures("small_models")


def add(**tensors):
    return lambda s: s | {k.replace("__", "."): np.ones(v, "f4") for k, v in tensors.items()}


def change(key, shape):
    return lambda s: s | {key: np.ones(shape, "f4")}


def without(key):
    return lambda s: {name: value for name, value in s.items() if name != key}


TABLE = "layers.{}.blocks.{}.attn.relative_position_bias_table"
REFUSED = {  # model, change of its state dict, words of the message
    "DeiT III": ("deit", add(blocks__0__gamma_1=12, blocks__0__gamma_2=12), "LayerScale .DeiT III"),
    "timm's LayerScale": ("deit", add(blocks__1__ls1__gamma=12), r"has the tensor blocks\.1\.ls1"),
    "DINOv2 of Hugging Face": (
        "deit",
        lambda s: hugging_face(s, "dinov2.")
        | {"dinov2.encoder.layer.0.layer_scale1.lambda1": s["norm.bias"]},
        "LayerScale",
    ),
    "registers": ("deit", add(register_tokens=(1, 4, 12)), "ViT with register tokens"),
    "registers of timm": ("deit", add(reg_token=(1, 4, 12)), "register tokens"),
    "Swin V2": (
        "swin",
        add(layers__0__blocks__0__attn__logit_scale=2),
        "weights of Swin V2: it has",
    ),
    "Swin V2 of Hugging Face": (
        "swin",
        lambda s: hugging_face(s, "swinv2.")
        | {"swinv2.encoder.layers.0.blocks.0.attention.self.continuous_position_bias_mlp.0.weight":
           np.ones((8, 2), "f4")},
        "Swin V2",
    ),
    "Swin with absolute positions": ("swin", add(absolute_pos_embed=(1, 256, 6)), "absolute"),
    "BEiT": ("deit", add(blocks__0__attn__q_bias=12), "weights of BEiT"),
    "CLIP": ("deit", add(norm_pre__weight=12), "CLIP's image encoder"),
    "average pooling of timm": ("deit", add(fc_norm__weight=12), "fc_norm"),
    "attention pooling": ("deit", add(attn_pool__latent=(1, 1, 12)), "attention pooling"),
    "QK norm": ("deit", add(blocks__0__attn__q_norm__weight=4), "normalised queries and keys"),
    "pre_logits": ("deit", add(pre_logits__fc__weight=(12, 12)), "layer before its head"),
    "LoRA": (
        "deit",
        lambda s: s | {"blocks.0.attn.qkv.lora_A.default.weight": np.ones((2, 12), "f4")},
        "adapters .LoRA. that are not merged",
    ),
    "torchvision's ViT": (
        "deit",
        lambda s: {"conv_proj.weight": s["patch_embed.proj.weight"], "class_token": s["cls_token"]},
        "torchvision's ViT",
    ),
    "another network": (
        "deit",
        lambda s: {"conv1.weight": np.ones((8, 3, 7, 7), "f4"), "bn1.weight": np.ones(8, "f4")},
        "another kind of model, with the tensors conv1.weight, bn1.weight",
    ),
    "two models": (
        "deit",
        lambda s: prefixed("left.", s) | prefixed("right.", s),
        r"several models, whose names begin with '(module\.)?left.', '(module\.)?right.'",
    ),
    "196 positions": ("deit", change("pos_embed", (1, 16, 12)), r"pos_embed is \(1, 16, 12\)"),
    "a register more": ("deit", change("pos_embed", (1, 18, 12)), "so 17 or 26 tokens"),
    "positions of a wide image": ("deit", change("pos_embed", (1, 1 + 4 * 5, 12)), "square image"),
    "positions of four axes": ("deit", change("pos_embed", (1, 4, 4, 12)), r"pos_embed is \(1, 4"),
    "no positions": ("deit", without("pos_embed"), "pos_embed is missing"),
    "a window of 3 x 5": ("swin", change(TABLE.format(0, 0), (5 * 9, 2)), r"\(45, 2\), expected"),
    "an even table": ("swin", change(TABLE.format(1, 0), (36, 3)), r"\(2 w - 1\)\^2 rows"),
    "two windows in a stage": (
        "swin",
        change(TABLE.format(0, 1), (25, 2)),
        "belongs to windows of 3, an earlier block of its stage to windows of 4",
    ),
    "a larger window later": (
        "swin",
        change(TABLE.format(1, 0), (225, 3)),
        "windows of its stages are 4, 8 .*Swin S3",
    ),
    "two numbers of classes": (
        "distilled",
        change("head_dist.weight", (4, 12)),
        "head_dist.weight is .4, 12",
    ),
    "a head of another width": ("deit", change("head.weight", (5, 8)), r"head.weight is \(5, 8\)"),
    "an empty head": (
        "deit",
        change("head.weight", (2 * 10**9, 0)),
        "head.weight is .2000000000, 0. and holds no",
    ),
    "empty positions": ("deit", change("pos_embed", (0, 4 * 10**8)), "pos_embed is .0, 400000000."),
    "a missing key": (
        "deit",
        lambda s: without("encoder.layer.1.attention.attention.key.weight")(hugging_face(s)),
        r"blocks\.1\.attn\.key\.weight is missing",
    ),
    "keys of another size": (
        "deit",
        lambda s: hugging_face(s)
        | {"encoder.layer.0.attention.attention.key.weight": np.ones((8, 12))},
        "have the shapes",
    ),
    "more blocks": ("deit", add(blocks__2__norm1__weight=12), "a DeiT of width 12 with 3 blocks"),
    "an unknown tensor": (
        "deit",
        add(blocks__0__attn__gate=3),
        r"unexpected blocks\.0\.attn\.gate",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", REFUSED)
def test_relatives_and_contradictions_are_refused_by_name(form):
    name, save, words = REFUSED[form]
    with pytest.raises(ValueError, match=words):
        tv.pretrained(save(state_of(name)))
    with pytest.raises(ValueError, match=words):
        tv.pretrained(prefixed("module.", save(state_of(name))))
