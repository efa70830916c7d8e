"""Rename tensors of timm and Hugging Face to the official names.

timm numbers Swin's merging layers by the stage after them and names the head head.fc. Hugging Face
splits qkv into three tensors and uses other names for nearly all; its heads are `classifier`, or
`cls_classifier` and `distillation_classifier`.
"""

import re
from collections.abc import Iterable, Mapping

import numpy as np

from tervit_np.arrays import Array

_HF = [  # applied in this order
    (r"^embeddings\.(cls_token)", r"\1"),
    (r"^embeddings\.distillation_token", "dist_token"),
    (r"^embeddings\.position_embeddings", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
    (r"^embeddings\.norm", "patch_embed.norm"),
    (r"^encoder\.layer\.(\d+)", r"blocks.\1"),
    (r"^encoder\.layers\.(\d+)", r"layers.\1"),
    (r"layernorm_before", "norm1"),
    (r"layernorm_after", "norm2"),
    (r"attention\.(?:attention|self)\.(query|key|value)", r"attn.\1"),
    (r"attention\.self\.relative_position", "attn.relative_position"),
    (r"attention\.output\.dense", "attn.proj"),
    (r"intermediate\.dense", "mlp.fc1"),
    (r"output\.dense", "mlp.fc2"),
    (r"^layernorm", "norm"),
]
_HEADS = [
    (r"^(?:head\.fc|(?:cls_)?classifier|fc)\.(weight|bias)$", r"head.\1"),
    (r"^distillation_classifier\.", "head_dist."),
]
# What pretraining needs and a classifier does not.
_UNUSED = re.compile(
    r"(embeddings\.)?mask_token$|decoder(_\w+)?(\.|$)|pooler\.|projector\.|predictor\.|"
    r"head\.(?!weight$|bias$|fc\.weight$|fc\.bias$)"
)


def split_unused(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Separate the tensors that only pretraining needs.  -> used names, unused names."""
    listed = list(names)
    unused = [name for name in listed if _UNUSED.match(name)]
    return [name for name in listed if not _UNUSED.match(name)], unused


def official_names(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Rename tensors and fuse q, k and v; official names stay as they are.

    Raises
    ------
    ValueError
        If one of query, key and value is missing, or two tensors get the same name.
    """
    renamed: dict[str, Array] = {}
    is_hugging_face = any(name.startswith("embeddings.") for name in arrays)
    for name, array in arrays.items():
        new = _substituted(name, [*_HF, *_HEADS] if is_hugging_face else _HEADS)
        if new in renamed:
            raise ValueError(f"two tensors are named {new}; one of them is {name}")
        renamed[new] = array
    return _from_timm(_fused(renamed))


def _substituted(name: str, rules: list[tuple[str, str]]) -> str:
    for pattern, official in rules:
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
            out[f"{match[1]}.qkv.{match[3]}"] = _concatenated(arrays, parts)
        elif f"{match[1]}.query.{match[3]}" not in arrays:
            raise ValueError(f"{match[1]}.query.{match[3]} is missing, {name} is there")
    return out


def _concatenated(arrays: Mapping[str, Array], parts: list[str]) -> Array:
    """Concatenate tensors of one shape along axis 0."""
    if missing := [part for part in parts if part not in arrays]:
        raise ValueError(f"{missing[0]} is missing, {parts[0]} is there")
    shapes = [np.shape(arrays[part]) for part in parts]
    if len(set(shapes)) > 1 or not shapes[0]:
        raise ValueError(f"{', '.join(parts)} have the shapes {shapes}, expected three equal ones")
    return np.concatenate([arrays[part] for part in parts])


def _from_timm(arrays: dict[str, Array]) -> dict[str, Array]:
    """Number merging layers by the stage before them, if the first has number 1."""
    merging = {int(m[1]) for n in arrays if (m := re.match(r"layers\.(\d{1,3})\.downsample\.", n))}
    if not merging or 0 in merging:
        return arrays
    return {_one_stage_before(name): array for name, array in arrays.items()}


def _one_stage_before(name: str) -> str:
    match = re.match(r"layers\.(\d{1,3})(\.downsample\..*)", name)
    return f"layers.{int(match[1]) - 1}{match[2]}" if match else name
