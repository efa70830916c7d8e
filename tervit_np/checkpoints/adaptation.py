"""Transfer of weights to another number of classes, image size or window.

head          another number of classes: drawn anew
positions     another image size: interpolated on the grid of patches; other tokens unchanged
bias tables   another window: interpolated on the grid of relative positions
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
from tervit_np.checkpoints.recognition import architecture, architecture_of, known_name, recognise
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
    """Build the model that fits weights and load them.  -> model, list of adaptations.

    `overrides` are fields of the configuration: `num_classes`, `image_size`, `window`, `drop_path`.
    A new head is drawn from `seed`.

    Raises
    ------
    ValueError
        If the file is damaged, its architecture is unknown, or `overrides` do not fit it.
    """
    arrays = weights if isinstance(weights, Mapping) else load_checkpoint(weights)
    config = replace(recognise(arrays)[1], **overrides)
    model = build(config, np.random.default_rng(seed), dtype)
    return model, transfer(model, arrays)


def transfer(model: Classifier, arrays: Mapping[str, Array]) -> list[str]:
    """Load weights of the same architecture into a model.  -> list of adaptations, in words.

    Raises
    ------
    ValueError
        If the weights have another architecture; the message names both.
    """
    state, changes = dict(arrays), []
    for name, param in model.named_params():
        old = state.get(name)
        if old is None or old.shape == param.shape:
            continue
        if name.startswith("head"):
            state[name] = param.data
            if old.ndim == 2 and old.shape[1:] == param.shape[1:]:
                changes.append(f"{name}: {len(old)} -> {len(param.data)} classes, drawn anew")
        elif name == "pos_embed" and old.shape[2:] == param.shape[2:]:
            state[name] = _positions(old, param.shape[1], model.config.extra_tokens)
            changes.append(f"{name}: {old.shape[1]} -> {param.shape[1]} tokens, interpolated")
        elif name.endswith(_TABLE) and old.shape[1:] == param.shape[1:]:
            state[name] = _table(old, len(param.data))
            changes.append(
                f"{name}: {len(old)} -> {len(param.data)} relative positions, interpolated"
            )
    try:
        model.load_state_dict(state)
    except ValueError as error:
        source, target = architecture(arrays), architecture_of(model.config)
        if source is None or source == target:
            raise
        known = known_name(source)
        name = f" ({known})" if known else ""
        raise ValueError(
            f"these are the weights of {source}{name}, the model is {target}: {error}"
        ) from None
    return changes


def _positions(old: Array, tokens: int, extra: int) -> Array:
    """Interpolate positions, except the first E.  (1, E + S S, D) -> (1, tokens, D)."""
    side, new_side = (round((n - extra) ** 0.5) for n in (old.shape[1], tokens))
    grid = resize_grid(old[0, extra:].reshape(side, side, -1), new_side)
    return np.concatenate([old[0, :extra], grid.reshape(new_side * new_side, -1)])[None]


def _table(old: Array, rows: int) -> Array:
    """Interpolate a bias table.  ((2v-1)^2, H) -> ((2w-1)^2, H)."""
    side, new_side = round(len(old) ** 0.5), round(rows**0.5)
    return resize_grid(old.reshape(side, side, -1), new_side).reshape(rows, -1)
