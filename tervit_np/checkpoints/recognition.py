"""Recognise the architecture of weights by their names and shapes."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from tervit_np.arrays import Array
from tervit_np.models.deit import DeiTConfig
from tervit_np.models.registry import CONFIGS, Config
from tervit_np.models.swin import SwinConfig

_TABLE = "layers.{}.blocks.0.attn.relative_position_bias_table"  # of (2 window - 1)^2 rows


class Architecture(NamedTuple):
    """The properties that shapes show; the number of heads is not among them."""

    kind: str  # DeiT or Swin
    dim: int
    patch: int
    depths: tuple[int, ...]
    distilled: bool = False

    def __str__(self) -> str:
        blocks = "+".join(map(str, self.depths))
        kind = f"distilled {self.kind}" if self.distilled else self.kind
        return f"a {kind} of width {self.dim} with {blocks} blocks on patches of {self.patch}"


def architecture(arrays: Mapping[str, Array]) -> Architecture | None:
    """Infer the architecture from {official name: array}; None if it is not DeiT or Swin."""
    patch = arrays.get("patch_embed.proj.weight")
    if patch is None or patch.ndim != 4:
        return None
    dim, size = patch.shape[0], patch.shape[-1]
    if depth := _count(arrays, r"blocks\.(\d+)\."):
        return Architecture("DeiT", dim, size, (depth,), "dist_token" in arrays)
    stages = _count(arrays, r"layers\.(\d+)\.")
    depths = tuple(_count(arrays, rf"layers\.{i}\.blocks\.(\d+)\.") for i in range(stages))
    return Architecture("Swin", dim, size, depths) if depths and all(depths) else None


def _count(arrays: Mapping[str, Array], pattern: str) -> int:
    return len({match[1] for name in arrays if (match := re.match(pattern, name))})


def architecture_of(config: Config) -> Architecture:
    """Describe the architecture of a configuration."""
    if isinstance(config, SwinConfig):
        return Architecture("Swin", config.dim, config.patch_size, config.depths)
    return Architecture("DeiT", config.dim, config.patch_size, (config.depth,), config.distilled)


def known_name(wanted: Architecture) -> str | None:
    """Return the registered name of an architecture, None if there is none."""
    return next(
        (name for name, config in CONFIGS.items() if architecture_of(config) == wanted), None
    )


def recognise(arrays: Mapping[str, Array]) -> tuple[str, Config]:
    """Recognise the model of weights.  -> registered name, configuration with their sizes.

    Raises
    ------
    ValueError
        If the architecture is not registered.
    """
    arch = architecture(arrays)
    name = None if arch is None else known_name(arch)
    if arch is None or name is None:
        raise ValueError(
            "unknown architecture: expected weights of a registered DeiT or Swin, got those of "
            + ("another kind of model" if arch is None else str(arch))
        )
    config = CONFIGS[name]
    sizes: dict[str, Any] = {}
    if (head := arrays.get("head.weight")) is not None:
        sizes["num_classes"] = head.shape[0]
    if isinstance(config, DeiTConfig) and (positions := arrays.get("pos_embed")) is not None:
        sizes["image_size"] = round((positions.shape[1] - config.extra_tokens) ** 0.5) * arch.patch
    if isinstance(config, SwinConfig):
        tables = [arrays.get(_TABLE.format(stage)) for stage in range(len(config.depths))]
        windows = [(round(len(t) ** 0.5) + 1) // 2 for t in tables if t is not None]
        if len(windows) == len(tables):
            sizes |= {"window": windows[0], "image_size": _image_size(config, windows)}
    return name, replace(config, **sizes)


def _image_size(config: SwinConfig, windows: list[int]) -> int:
    """Infer the image size, which no tensor has.

    If the last window is smaller than the first, it is the last map. Otherwise the size is that of
    the model's name or, if its maps do not split into windows, that at which the last map is one
    window.
    """
    fits = all(side <= windows[0] or side % windows[0] == 0 for side in config.sides)
    if fits and windows[-1] == windows[0]:
        return config.image_size
    return windows[-1] * config.patch_size << (len(config.depths) - 1)
