"""Recognise the architecture of weights by their names and shapes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import isqrt
from typing import Any, NamedTuple

from tervit_np.arrays import Array
from tervit_np.checkpoints.formats.buffers import Map
from tervit_np.checkpoints.windows import swin_sizes
from tervit_np.models.deit import DeiTConfig
from tervit_np.models.registry import CONFIGS, Config
from tervit_np.models.swin_config import SwinConfig
from tervit_np.nn import Conv3Stem

_BLOCK = re.compile(r"blocks\.(\d{1,4})\.")
_STAGE_BLOCK = re.compile(r"layers\.(\d{1,4})\.blocks\.(\d{1,4})\.")
_STEM_STRIDE = 4  # of the convolutions of a stem


class Architecture(NamedTuple):
    """The properties that shapes show; the number of heads is not among them."""

    kind: str  # DeiT or Swin
    dim: int
    patch: int
    depths: tuple[int, ...]
    distilled: bool = False
    stem: str = "linear"

    def __str__(self) -> str:
        blocks = "+".join(map(str, self.depths))
        kind = f"distilled {self.kind}" if self.distilled else self.kind
        stem = "" if self.stem == "linear" else f" after a {self.stem} stem"
        return f"a {kind} of width {self.dim} with {blocks} blocks on patches of {self.patch}{stem}"


def architecture(arrays: Mapping[str, Array]) -> Architecture | None:
    """Infer the architecture from {official name: array}; None if it is not DeiT or Swin."""
    patch = arrays.get("patch_embed.proj.weight")
    if patch is None or patch.ndim != 4:
        return None
    dim, size = patch.shape[0], patch.shape[-1]
    stem = _stem(arrays, patch)
    size = {"linear": size, "conv": _STEM_STRIDE * size, "conv3": _STEM_STRIDE}[stem]
    if depth := len({m[1] for name in arrays if (m := _BLOCK.match(name))}):
        return Architecture("DeiT", dim, size, (depth,), "dist_token" in arrays, stem)
    depths = _stage_depths(arrays)
    return Architecture("Swin", dim, size, depths, False, stem) if depths else None


def _stem(arrays: Mapping[str, Array], proj: Array) -> str:
    """Tell the stems apart: conv3 halves its map after the second convolution, by 3 x 3 windows."""
    if "patch_embed.conv1.weight" not in arrays:
        return "linear"
    return "conv3" if proj.shape[1:] == (Conv3Stem.WIDTHS[1], 3, 3) else "conv"


def _stage_depths(names: Iterable[str]) -> tuple[int, ...]:
    """Count the blocks of each stage of a Swin."""
    blocks: dict[str, set[str]] = {}
    for name in names:
        if match := _STAGE_BLOCK.match(name):
            blocks.setdefault(match[1], set()).add(match[2])
    return tuple(len(blocks[stage]) for stage in sorted(blocks, key=int))


def architecture_of(config: Config) -> Architecture:
    """Describe the architecture of a configuration."""
    if isinstance(config, SwinConfig):
        return Architecture(
            "Swin", config.dim, config.patch_size, config.depths, False, config.stem
        )
    return Architecture(
        "DeiT",
        config.dim,
        config.patch_size,
        (config.depth,),
        config.distilled,
        config.stem,
    )


def known_name(wanted: Architecture) -> str | None:
    """Return the registered name of an architecture, None if there is none."""
    return next(
        (name for name, config in CONFIGS.items() if architecture_of(config) == wanted), None
    )


def recognise(arrays: Mapping[str, Array], maps: Iterable[Map] = ()) -> tuple[str, Config]:
    """Recognise the model of weights.  -> registered name, configuration with their sizes.

    `maps` are the sizes of Swin's maps as far as the file has masks. Weights without a head get
    the number of classes of the registered model.

    Raises
    ------
    ValueError
        If the architecture is not registered, or a tensor contradicts it.
    """
    arch = require_architecture(arrays)
    name = known_name(arch)
    if name is None:
        raise ValueError(
            f"unknown architecture: expected weights of a registered DeiT or Swin, got those of "
            f"{arch}"
        )
    config = CONFIGS[name]
    sizes: dict[str, Any] = _head_sizes(arrays)
    if isinstance(config, DeiTConfig):
        sizes |= _deit_sizes(arrays, arch)
    else:
        sizes |= swin_sizes(arrays, config, maps)
    return name, replace(config, **sizes)


def require_architecture(arrays: Mapping[str, Array]) -> Architecture:
    """Infer the architecture; ValueError if it is neither DeiT nor Swin."""
    arch = architecture(arrays)
    if arch is None:
        names = ", ".join(list(arrays)[:3])
        raise ValueError(
            "unknown architecture: expected weights of a registered DeiT or Swin, got those of "
            f"another kind of model, with the tensors {names}, ..."
        )
    return arch


def _head_sizes(arrays: Mapping[str, Array]) -> dict[str, int]:
    """Read the number of classes from the heads, if there are any."""
    shapes = {
        name: arrays[name].shape for name in ("head.weight", "head_dist.weight") if name in arrays
    }
    if not shapes:
        return {}
    if any(len(shape) != 2 for shape in shapes.values()) or len(set(shapes.values())) > 1:
        words = " and ".join(f"{name} is {shape}" for name, shape in shapes.items())
        raise ValueError(f"{words}, expected (classes, width)")
    return {"num_classes": next(iter(shapes.values()))[0]}


def _deit_sizes(arrays: Mapping[str, Array], arch: Architecture) -> dict[str, Any]:
    """Read image size and pooling from the positions and the class token."""
    positions = arrays.get("pos_embed")
    if positions is None:
        raise ValueError("pos_embed is missing; a DeiT has positions that are learned")
    extra = ("cls_token" in arrays) + arch.distilled
    side = patches_side(positions, extra)
    pool = "cls" if "cls_token" in arrays else "mean"
    return {"image_size": side * arch.patch, "pool": pool}


def patches_side(positions: Array, extra: int) -> int:
    """Return the side of the square of patches that positions (1, E + S S, D) belong to.

    Raises
    ------
    ValueError
        If they have another shape, or do not fill a square after `extra` tokens.
    """
    tokens = positions.shape[1] - extra if positions.ndim == 3 and len(positions) == 1 else 0
    side = isqrt(max(tokens, 0))
    if side < 1 or side * side != tokens:
        raise ValueError(
            f"pos_embed is {positions.shape}, expected (1, tokens, width) with one position for "
            f"each patch of a square image after {extra} for the class and distillation tokens, as "
            f"many as there are; so {extra + side**2} or {extra + (side + 1) ** 2} tokens"
        )
    return side
