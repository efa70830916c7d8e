"""Multiplications of each layer for one image, counted while the model runs."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tervit_np.models import Classifier
from tervit_np.quant import Identity, Ternary


def macs(model: Classifier) -> dict[str, int]:
    """Count multiply-accumulates of one image.  -> {layer: count}, products of attention included.

    Each layer's forward is listened to for one pass: outputs times the length of a weight's row,
    or, where a layer has no weight, the two products of its attention.
    """
    counts: dict[str, int] = {}
    layers = model.quantizable()
    for name, layer in layers:
        layer.forward = _listening(name, layer, layer.forward, counts)
    try:
        size = model.config.image_size
        model.forward(np.zeros((1, 3, size, size), model.dtype), keep_cache=False)
    finally:
        for _, layer in layers:
            del layer.forward
    return counts


def _listening(
    name: str, layer: Any, forward: Callable[..., Any], counts: dict[str, int]
) -> Callable[..., Any]:
    def listen(*args: Any) -> Any:
        y, cache = forward(*args)
        if layer.weight is None:
            counts[name] = 2 * y.size * cache[0].probs.shape[-1]
        else:
            counts[name] = y.size * layer.weight.size // len(layer.weight.data)
        return y, cache

    return listen


def ternary_macs(model: Classifier) -> int:
    """Count those of ternary weights alone."""
    ternary = {name for name, layer in model.quantizable() if bits(layer).startswith("ternary")}
    return sum(count for name, count in macs(model).items() if name in ternary)


def bits(layer: Any) -> str:
    """Say in how many bits a layer's weights and inputs are, as "ternary / 8"."""
    weight = "-" if layer.weight is None else _bits(layer.weight_quant)
    return f"{weight} / {_bits(layer.act_quant)}"


def _bits(quantizer: Any) -> str:
    if isinstance(quantizer, Identity):
        return "32"
    return "ternary" if isinstance(quantizer, Ternary) else str(quantizer.bits)
