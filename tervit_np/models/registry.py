"""Models by name."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tervit_np.models.classifier import Classifier
from tervit_np.models.deit import DeiT, DeiTConfig

_SIZES = {"tiny": (192, 3), "small": (384, 6), "base": (768, 12)}  # dim, heads; all 12 blocks deep


def _imagenet(size: str, distilled: bool) -> DeiTConfig:
    dim, heads = _SIZES[size]
    return DeiTConfig(224, 16, 1000, dim, 12, heads, distilled=distilled)


def _small(patch: int, dim: int, depth: int, heads: int, **options: Any) -> DeiTConfig:
    """32-pixel models, ours: mean pooling and Xavier-uniform, which train better at this size."""
    return DeiTConfig(32, patch, 10, dim, depth, heads, pool="mean", init="xavier", **options)


CONFIGS: dict[str, DeiTConfig] = {
    **{f"deit_{size}_patch16_224": _imagenet(size, False) for size in _SIZES},
    **{f"deit_{size}_distilled_patch16_224": _imagenet(size, True) for size in _SIZES},
    "deit_shapes": _small(8, 64, 4, 2),
    "deit_cifar": _small(8, 96, 4, 3, stem="conv"),
    "deit_cifar_p4": _small(4, 192, 6, 3),
}


def list_models() -> list[str]:
    """Return the names that `create_model` knows."""
    return sorted(CONFIGS)


def create_model(
    name: str,
    *,
    num_classes: int | None = None,
    seed: int = 0,
    dtype: DTypeLike = "float32",
    **config_overrides: Any,
) -> Classifier:
    """Build a freshly initialised model; keyword arguments override fields of its configuration.

    Raises
    ------
    ValueError
        If the name or a field is unknown, or the fields do not fit together.
    """
    if name not in CONFIGS:
        raise ValueError(f"unknown model {name!r}; known: {', '.join(list_models())}")
    if num_classes is not None:
        config_overrides["num_classes"] = num_classes
    return build(_override(CONFIGS[name], config_overrides), np.random.default_rng(seed), dtype)


def build(config: DeiTConfig, rng: np.random.Generator, dtype: DTypeLike = "float32") -> Classifier:
    """Build the model that a configuration describes."""
    return DeiT(config, rng, dtype)


def _override(config: DeiTConfig, overrides: dict[str, Any]) -> DeiTConfig:
    known = [field.name for field in fields(config)]
    unknown = [key for key in overrides if key not in known]
    if unknown:
        raise ValueError(f"unknown configuration field {unknown[0]!r}; known: {', '.join(known)}")
    return replace(config, **overrides)
