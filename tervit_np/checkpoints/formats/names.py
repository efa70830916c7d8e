"""Rename tensors of timm and Hugging Face to the official names.

timm numbers Swin's merging layers by the stage after them and names the head head.fc. Hugging Face
splits qkv into three tensors and uses other names for nearly all.
"""

import re
from collections.abc import Mapping

import numpy as np

from tervit_np.arrays import Array

_HF_PREFIX = re.compile(r"^(vit|deit|swin)\.")
_HF = [  # applied in this order
    (r"embeddings\.(cls_token)", r"\1"),
    (r"embeddings\.distillation_token", "dist_token"),
    (r"embeddings\.position_embeddings", "pos_embed"),
    (r"embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
    (r"embeddings\.norm", "patch_embed.norm"),
    (r"encoder\.layer\.(\d+)", r"blocks.\1"),
    (r"encoder\.layers\.(\d+)", r"layers.\1"),
    (r"layernorm_before", "norm1"),
    (r"layernorm_after", "norm2"),
    (r"attention\.(?:attention|self)\.(query|key|value)", r"attn.\1"),
    (r"attention\.self\.relative_position", "attn.relative_position"),
    (r"attention\.output\.dense", "attn.proj"),
    (r"intermediate\.dense", "mlp.fc1"),
    (r"output\.dense", "mlp.fc2"),
    (r"^layernorm", "norm"),
    (r"^(?:cls_)?classifier", "head"),
    (r"^distillation_classifier", "head_dist"),
]


def official_names(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Rename tensors and fuse q, k and v; official names stay as they are.

    Raises
    ------
    ValueError
        If one of query, key and value is missing, or two tensors get the same name.
    """
    renamed: dict[str, Array] = {}
    is_hugging_face = any(_HF_PREFIX.match(name) for name in arrays)
    for name, array in arrays.items():
        new = _from_hugging_face(name) if is_hugging_face else name
        if new in renamed:
            raise ValueError(f"two tensors are named {new}; one of them is {name}")
        renamed[new] = array
    return _from_timm(_fused(renamed))


def _from_hugging_face(name: str) -> str:
    name = _HF_PREFIX.sub("", name)
    for pattern, official in _HF:
        name = re.sub(pattern, official, name)
    return name


def _fused(arrays: dict[str, Array]) -> dict[str, Array]:
    """Concatenate attn.query, .key and .value along axis 0 as attn.qkv."""
    out: dict[str, Array] = {}
    for name, array in arrays.items():
        match = re.match(r"(.*\.attn)\.(query|key|value)\.(weight|bias)$", name)
        if match is None:
            out[name] = array
        elif match[2] == "query":
            parts = [f"{match[1]}.{part}.{match[3]}" for part in ("query", "key", "value")]
            missing = [part for part in parts if part not in arrays]
            if missing:
                raise ValueError(f"{missing[0]} is missing, {name} is there")
            out[f"{match[1]}.qkv.{match[3]}"] = np.concatenate([arrays[part] for part in parts])
        elif f"{match[1]}.query.{match[3]}" not in arrays:
            raise ValueError(f"{match[1]}.query.{match[3]} is missing, {name} is there")
    return out


def _from_timm(arrays: dict[str, Array]) -> dict[str, Array]:
    """Number merging layers by the stage before them, if the first has number 1."""
    merging = {int(m[1]) for n in arrays if (m := re.match(r"layers\.(\d+)\.downsample\.", n))}
    starts_at_1 = bool(merging) and 0 not in merging

    def rename(name: str) -> str:
        if starts_at_1 and (match := re.match(r"layers\.(\d+)(\.downsample\..*)", name)):
            return f"layers.{int(match[1]) - 1}{match[2]}"
        return re.sub(r"^head\.fc\.", "head.", name)

    return {rename(name): array for name, array in arrays.items()}
