"""Transfer of weights to another number of classes, image size or window.

head          another number of classes, or absent: drawn anew
positions     another image size: interpolated on the grid of patches; other tokens unchanged
bias tables   another window: interpolated on the grid of relative positions
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from data_tools.counted import counted
from data_tools.plain_numbers import whole_number
from tervit_np.arrays import Array
from tervit_np.checkpoints.interpolation import resize_grid
from tervit_np.checkpoints.memory import require_fits
from tervit_np.checkpoints.reading import Weights, read_weights, weights_of
from tervit_np.checkpoints.recognition import (
    architecture_of,
    known_name,
    patches_side,
    recognise,
    require_architecture,
)
from tervit_np.checkpoints.windows import swin_sizes
from tervit_np.models.classifier import Classifier, require_model
from tervit_np.models.registry import Config, build, override
from tervit_np.models.swin_config import SwinConfig
from tervit_np.param import Param

_TABLE = "relative_position_bias_table"
_HEADS = ("head", "head_dist")
_BYTES_PER_PARAMETER = 4


def pretrained(
    weights: str | Path | Mapping[str, Any],
    *,
    seed: int = 0,
    dtype: DTypeLike = "float32",
    lenient: bool = False,
    **overrides: Any,
) -> tuple[Classifier, list[str]]:
    """Build the model that fits weights and load them.  -> model, list of adaptations.

    `weights` is a file or {name: array}, also under a common prefix. `overrides` are fields of the
    configuration: `num_classes`, `image_size`, `window`, `drop_path`. A new head is drawn from
    `seed`; weights without a head need `num_classes`. `lenient` skips training state in a .pth
    file, without running any of it.

    Raises
    ------
    ValueError
        If the file is damaged, its architecture is unknown, a tensor does not fit it, or
        `overrides` are unknown or do not fit, or the seed is not a whole number of at least 0.
    """
    seed = whole_number("seed", seed, 0)
    if isinstance(weights, Mapping):
        found = weights_of(weights)
        config = _config_of(found, "num_classes" in overrides)
    else:
        found = read_weights(weights, lenient=lenient)
        try:
            config = _config_of(found, "num_classes" in overrides)
        except ValueError as error:
            raise ValueError(f"{weights}: {error}") from None
    model = build(override(config, overrides), np.random.default_rng(seed), dtype)
    return model, found.notes + transfer(model, found.arrays)


def _config_of(found: Weights, new_head: bool) -> Config:
    """Return the configuration of weights; they may lack a head if a new one is drawn."""
    config = recognise(found.arrays, found.maps)[1]
    require_fits(config, found.arrays, _BYTES_PER_PARAMETER)
    if not new_head:
        _require_heads(found, architecture_of(config).distilled)
    return config


def _require_heads(found: Weights, distilled: bool) -> None:
    for head in _HEADS if distilled else _HEADS[:1]:
        if f"{head}.weight" not in found.arrays and f"{head}.bias" not in found.arrays:
            notes = f" ({'; '.join(found.notes)})" if found.notes else ""
            raise ValueError(
                f"{head}.weight is missing: these weights have no classifier{notes}; "
                "`tervit train --weights FILE --data SET` draws and trains one, and in Python "
                "num_classes=N draws one"
            )


def transfer(model: Classifier, arrays: Mapping[str, Array]) -> list[str]:
    """Load weights of the same architecture into a model.  -> list of adaptations, in words.

    Raises
    ------
    ValueError
        If the weights have another architecture, which the message names, or a tensor does not
        fit.
    """
    require_model(model)
    if not isinstance(arrays, Mapping):
        raise ValueError(f"arrays are a {type(arrays).__name__}; expected {{name: array}}")
    _require_same_architecture(model, arrays)
    state, params = dict(arrays), dict(model.named_params())
    changes = []
    for head in _HEADS:
        if f"{head}.weight" in params:
            changes += _adapt_head(state, params, head)
    for name, param in params.items():
        if name in state and np.shape(state[name]) != param.shape:
            changes += _interpolate(state, name, param, model.config)
    model.load_state_dict(state)
    return changes


def _require_same_architecture(model: Classifier, arrays: Mapping[str, Array]) -> None:
    """Raise ValueError unless the weights have the model's architecture, except for sizes."""
    source, target = require_architecture(arrays), architecture_of(model.config)
    if source != target:
        known = known_name(source)
        name = f" ({known})" if known else ""
        raise ValueError(f"these are the weights of {source}{name}, the model is {target}")
    if isinstance(model.config, SwinConfig):
        swin_sizes(arrays, model.config, ())


def _adapt_head(state: dict[str, Array], params: Mapping[str, Param], head: str) -> list[str]:
    """Replace a head that is absent, or of another number of classes, by the model's own."""
    names = f"{head}.weight", f"{head}.bias"
    own = {name: params[name].data for name in names}
    classes, width = own[names[0]].shape
    if not any(name in state for name in names):
        state |= own
        return [f"{names[0]}: absent, drawn anew for {counted(classes, 'class')}"]
    weight, bias = (np.shape(state[name]) if name in state else () for name in names)
    if weight[1:] == (width,) and bias == weight[:1] != (classes,):
        state |= own
        return [f"{names[0]}: {weight[0]} -> {counted(classes, 'class')}, drawn anew"]
    return []


def _interpolate(state: dict[str, Array], name: str, param: Param, config: Any) -> list[str]:
    """Interpolate positions and bias tables; what else does not fit is named when it is loaded."""
    old = state[name]
    if name == "pos_embed" and old.shape[2:] == param.shape[2:]:
        state[name] = _positions(old, param.shape[1], config.extra_tokens)
        return [f"{name}: {old.shape[1]} -> {param.shape[1]} tokens, interpolated"]
    if name.endswith(_TABLE) and old.shape[1:] == param.shape[1:]:
        state[name] = _table(old, len(param.data))
        return [f"{name}: {len(old)} -> {len(param.data)} relative positions, interpolated"]
    return []


def _positions(old: Array, tokens: int, extra: int) -> Array:
    """Interpolate positions, except the first E.  (1, E + S S, D) -> (1, tokens, D)."""
    side, new_side = patches_side(old, extra), round((tokens - extra) ** 0.5)
    grid = resize_grid(old[0, extra:].reshape(side, side, -1), new_side)
    return np.concatenate([old[0, :extra], grid.reshape(new_side * new_side, -1)])[None]


def _table(old: Array, rows: int) -> Array:
    """Interpolate a bias table.  ((2v-1)^2, H) -> ((2w-1)^2, H)."""
    side, new_side = round(len(old) ** 0.5), round(rows**0.5)
    return resize_grid(old.reshape(side, side, -1), new_side).reshape(rows, -1)
