"""Models by name."""

from dataclasses import fields, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from data_tools.plain_numbers import whole_number
from data_tools.spelling import did_you_mean
from tervit_np.models.classifier import Classifier
from tervit_np.models.deit import DeiT, DeiTConfig
from tervit_np.models.swin import Swin
from tervit_np.models.swin_config import SwinConfig

Config: TypeAlias = DeiTConfig | SwinConfig
MODELS: dict[str, tuple[Any, Any]] = {"DeiT": (DeiT, DeiTConfig), "Swin": (Swin, SwinConfig)}

_SIZES = {"tiny": (192, 3), "small": (384, 6), "base": (768, 12)}  # dim, heads; depth 12


def _imagenet(size: str, distilled: bool) -> DeiTConfig:
    dim, heads = _SIZES[size]
    return DeiTConfig(224, 16, 1000, dim, 12, heads, distilled=distilled)


def _small(patch: int, dim: int, depth: int, heads: int, **options: Any) -> DeiTConfig:
    """Configure our models for 32-pixel images: mean pooling and Xavier train better there."""
    return DeiTConfig(32, patch, 10, dim, depth, heads, pool="mean", init="xavier", **options)


def _swin(dim: int, heads: int, depth_of_stage_3: int) -> SwinConfig:
    heads_per_stage = tuple(heads * 2**i for i in range(4))
    return SwinConfig(224, 4, 1000, dim, (2, 2, depth_of_stage_3, 2), heads_per_stage, 7)


CONFIGS: dict[str, Config] = {
    **{f"deit_{size}_patch16_224": _imagenet(size, False) for size in _SIZES},
    **{f"deit_{size}_distilled_patch16_224": _imagenet(size, True) for size in _SIZES},
    "deit_shapes": _small(8, 64, 4, 2),
    "deit_cifar": _small(8, 96, 4, 3, stem="conv"),
    "deit_cifar_conv": _small(4, 64, 4, 2, mlp_ratio=2.0, stem="conv3"),
    "deit_cifar_conv_d128": _small(4, 128, 4, 4, mlp_ratio=2.0, stem="conv3"),
    "deit_cifar_conv_d192": _small(4, 192, 4, 6, mlp_ratio=2.0, stem="conv3"),
    "deit_cifar_p4": _small(4, 192, 6, 3),
    "swin_tiny_patch4_window7_224": _swin(96, 3, 6),
    "swin_small_patch4_window7_224": _swin(96, 3, 18),
    "swin_base_patch4_window7_224": _swin(128, 4, 18),
    "swin_cifar": SwinConfig(32, 4, 10, 64, (2, 4), (2, 4), 4, init="xavier"),
    "swin_cifar_conv": SwinConfig(
        32, 4, 10, 64, (2, 2), (2, 4), 4, mlp_ratio=2.0, init="xavier", stem="conv3"
    ),
}


def list_models() -> list[str]:
    """Return the names that `create_model` accepts."""
    return sorted(CONFIGS)


def named_config(name: str) -> Config:
    """Look a configuration up by name.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if not isinstance(name, str):
        raise ValueError(f"model is {name!r}; expected a name, such as deit_shapes")
    if name not in CONFIGS:
        near = did_you_mean(name, CONFIGS) or f"; known: {', '.join(list_models())}"
        raise ValueError(f"unknown model {name!r}{near}")
    return CONFIGS[name]


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
        If the name or a field is unknown, the fields do not fit together, the seed is not a whole
        number of at least 0, or the model does not fit into memory.
    """
    config, seed = named_config(name), whole_number("seed", seed, 0)
    if num_classes is not None:
        config_overrides["num_classes"] = num_classes
    return build(override(config, config_overrides), np.random.default_rng(seed), dtype)


def build(
    config: Config, rng: np.random.Generator | None, dtype: DTypeLike = "float32"
) -> Classifier:
    """Build a model; without `rng`, gamma is 1 and every other parameter 0.

    Raises
    ------
    ValueError
        If the dtype is neither float32 nor float64, or the model does not fit into memory.
    """
    kind = type(config).__name__.removesuffix("Config")
    try:
        model: Classifier = MODELS[kind][0](config, rng, dtype)
    except MemoryError:
        raise ValueError(
            f"a {kind} of {config.parameters:,} parameters does not fit into memory; choose a "
            "smaller image_size, window or model"
        ) from None
    return model


def config_from(model: str, fields: dict[str, Any]) -> Config:
    """Make the configuration of a model class from its fields, as stored in JSON.

    Raises
    ------
    KeyError, TypeError
        If the model class or a field is unknown, or a field is missing.
    ValueError
        If the fields do not fit together.
    """
    config: Config = MODELS[model][1](**fields)
    return config


def override(config: Config, overrides: dict[str, Any]) -> Config:
    """Replace fields of a configuration.

    Raises
    ------
    ValueError
        If a field is unknown or belongs to the other kind of model, or the fields do not fit
        together.
    """
    known = [field.name for field in fields(config)]
    for key in overrides:
        if key not in known:
            listed = ", ".join(known)
            kind = type(config).__name__.removesuffix("Config")
            if other := next((n for n, (_, c) in MODELS.items() if _has_field(c, key)), None):
                raise ValueError(
                    f"{key} is an option of a {other}, and this model is a {kind}; it has {listed}"
                )
            raise ValueError(f"unknown configuration field {key!r}; known: {listed}")
    return replace(config, **overrides)


def _has_field(config_type: Any, name: str) -> bool:
    return any(field.name == name for field in fields(config_type))
