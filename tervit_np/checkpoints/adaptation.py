"""Weights of one task or size as the start of another.

head          another number of classes: drawn anew
positions     another image size: interpolated on their grid, tokens apart from it kept
bias tables   another window: interpolated on the grid of offsets
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tervit_np.arrays import Array
from tervit_np.checkpoints.interpolation import resize_grid
from tervit_np.checkpoints.reading import load_checkpoint
from tervit_np.checkpoints.recognition import architecture, known_name, of_config, recognise
from tervit_np.models.classifier import Classifier
from tervit_np.models.registry import build

_TABLE = "relative_position_bias_table"


def pretrained(
    weights: str | Path | Mapping[str, Array],
    *,
    seed: int = 0,
    dtype: DTypeLike = "float32",
    **overrides: Any,
) -> tuple[Classifier, list[str]]:
    """Build the model that weights belong to and fill it.  -> model, what had to be adapted.

    `overrides` are fields of the configuration: `num_classes`, `image_size`, `window`, `drop_path`.
    What is drawn anew is drawn from `seed`.

    Raises
    ------
    ValueError
        If the file is no good, belongs to no known architecture, or cannot be fitted.
    """
    arrays = weights if isinstance(weights, Mapping) else load_checkpoint(weights)
    config = replace(recognise(arrays)[1], **overrides)
    model = build(config, np.random.default_rng(seed), dtype)
    return model, transfer(model, arrays)


def transfer(model: Classifier, arrays: Mapping[str, Array]) -> list[str]:
    """Fill a model from weights of the same architecture.  -> what had to be adapted, in words.

    Raises
    ------
    ValueError
        If the weights belong to another architecture; names both and the first differing tensors.
    """
    fitted, changes = dict(arrays), []
    for name, param in model.named_params():
        old = fitted.get(name)
        if old is None or old.shape == param.shape:
            continue
        if name.startswith("head"):
            fitted[name] = param.data
            if old.ndim == 2 and old.shape[1:] == param.shape[1:]:
                changes.append(f"{name}: {len(old)} -> {len(param.data)} classes, drawn anew")
        elif name == "pos_embed" and old.shape[2:] == param.shape[2:]:
            fitted[name] = _positions(old, param.shape[1], model.config.extra_tokens)
            changes.append(f"{name}: {old.shape[1]} -> {param.shape[1]} tokens, interpolated")
        elif name.endswith(_TABLE) and old.shape[1:] == param.shape[1:]:
            fitted[name] = _table(old, len(param.data))
            changes.append(f"{name}: {len(old)} -> {len(param.data)} offsets, interpolated")
    try:
        model.load_state_dict(fitted)
    except ValueError as error:
        found, mine = architecture(arrays), of_config(model.config)
        if found is None or found == mine:
            raise
        known = known_name(found)
        name = f" ({known})" if known else ""
        raise ValueError(
            f"these are the weights of {found}{name}, the model is {mine}: {error}"
        ) from None
    return changes


def _positions(old: Array, tokens: int, extra: int) -> Array:
    """Interpolate positions.  (1, E + S S, D) -> (1, tokens, D); the first E are kept."""
    side, new = (round((n - extra) ** 0.5) for n in (old.shape[1], tokens))
    grid = old[0, extra:].reshape(side, side, -1)
    return np.concatenate([old[0, :extra], resize_grid(grid, new).reshape(new * new, -1)])[None]


def _table(old: Array, rows: int) -> Array:
    """Interpolate a bias table.  ((2v-1)^2, H) -> ((2w-1)^2, H)."""
    side, new = round(len(old) ** 0.5), round(rows**0.5)
    return resize_grid(old.reshape(side, side, -1), new).reshape(rows, -1)
