"""Rename state dicts to the names that other libraries give, and wrap them as they do."""

import numpy as np

import tervit_np as tv

MODELS = {
    "deit": tv.DeiTConfig(16, 4, 5, 12, 2, 3),
    "distilled": tv.DeiTConfig(16, 4, 5, 12, 2, 3, distilled=True),
    "swin": tv.SwinConfig(32, 2, 5, 6, (2, 1), (2, 3), window=4),
}
_HUGGING_FACE = [
    ("cls_token", "embeddings.cls_token"),
    ("dist_token", "embeddings.distillation_token"),
    ("pos_embed", "embeddings.position_embeddings"),
    ("patch_embed.proj", "embeddings.patch_embeddings.projection"),
    ("patch_embed.norm", "embeddings.norm"),
    ("blocks.", "encoder.layer."),
    ("layers.", "encoder.layers."),
    ("encoder.encoder.", "encoder."),
    (".norm1.", ".layernorm_before."),
    (".norm2.", ".layernorm_after."),
    (".attn.proj.", ".attention.output.dense."),
    (".attn.relative_position", ".attention.self.relative_position"),
    (".mlp.fc1.", ".intermediate.dense."),
    (".mlp.fc2.", ".output.dense."),
]


def hugging_face(state, prefix="", head="classifier"):
    """Rename to the names of transformers; `prefix` such as "vit." is not that of the heads."""
    is_swin = any(name.startswith("layers.") for name in state)
    out = {}
    for name, value in state.items():
        first, _, rest = name.partition(".")
        if first in ("head", "head_dist"):
            out[f"{head if first == 'head' else 'distillation_classifier'}.{rest}"] = value
            continue
        new = f"layernorm.{rest}" if first == "norm" else name
        for ours, theirs in _HUGGING_FACE:
            if ours == "layers." and not is_swin or ours == "blocks." and is_swin:
                continue
            new = new.replace(ours, theirs, 1)
        inner = "self" if is_swin else "attention"
        if ".attn.qkv." in new:
            for part, rows in zip(("query", "key", "value"), np.split(value, 3), strict=True):
                out[prefix + new.replace("attn.qkv", f"attention.{inner}.{part}")] = rows
        else:
            out[prefix + new] = value
    return out


def timm_swin(state):
    """Number merging layers by the stage after them, and name the head head.fc."""
    out = {}
    for name, value in state.items():
        parts = name.split(".")
        if len(parts) > 2 and parts[2] == "downsample":
            parts[1] = str(int(parts[1]) + 1)
        if parts[0] == "head":
            parts.insert(1, "fc")
        out[".".join(parts)] = value
    return out


def headless(state):
    return {name: value for name, value in state.items() if not name.startswith("head")}


def prefixed(prefix, state):
    return {prefix + name: value for name, value in state.items()}


def inner_wrapper(state, word):
    """Put the word of a wrapper behind the number of each block, as FSDP does."""
    out = {}
    for name, value in state.items():
        parts = name.split(".")
        if parts[0] == "blocks":
            parts.insert(2, word)
        out[".".join(parts)] = value
    return out


def state_of(name, seed=1):
    """Draw a state dict of one of the models."""
    return tv.models.build(MODELS[name], np.random.default_rng(seed)).state_dict()
