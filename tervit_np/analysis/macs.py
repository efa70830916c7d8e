"""Multiply-accumulates (MACs) of each layer for one image, counted while the model runs."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tervit_np.models import Classifier
from tervit_np.quant import Identity


def macs(model: Classifier) -> dict[str, int]:
    """Count multiply-accumulates of one image.  -> {layer: count}, products of attention included.

    Each layer's forward is wrapped for one pass. A layer with a weight counts its outputs times the
    length of a row of the weight, attention without a weight its two matrix products.

    Raises
    ------
    ValueError
        If the model is packed.
    """
    model.require_latent_weights()
    counts: dict[str, int] = {}
    layers = model.quantizable()
    before = [(layer, vars(layer).get("forward")) for _, layer in layers]
    try:
        for name, layer in layers:
            layer.forward = _counting(name, layer, layer.forward, counts)
        size = model.config.image_size
        model.forward(np.zeros((1, 3, size, size), model.dtype), keep_cache=False)
    finally:
        for layer, own in before:
            vars(layer).pop("forward", None)
            if own is not None:  # a user has wrapped it, too
                layer.forward = own
    return counts


def _counting(
    name: str, layer: Any, forward: Callable[..., Any], counts: dict[str, int]
) -> Callable[..., Any]:
    """Wrap a forward so that it also writes its count into `counts`."""

    def wrapped(*args: Any) -> Any:
        y, cache = forward(*args)
        if layer.weight is None:
            counts[name] = 2 * y.size * cache[0].probs.shape[-1]
        else:
            counts[name] = y.size * layer.weight.size // len(layer.weight.data)
        return y, cache

    return wrapped


def ternary_macs(model: Classifier) -> int:
    """Count the multiply-accumulates of ternary weights alone."""
    ternary = {
        name for name, layer in model.quantizable() if bit_widths(layer).startswith("ternary")
    }
    return sum(count for name, count in macs(model).items() if name in ternary)


def bit_widths(layer: Any) -> str:
    """Return the bits of a layer's weights and of its inputs, such as "ternary / 8"."""
    weight = "-" if layer.weight is None else _bits(layer.weight_quant)
    return f"{weight} / {_bits(layer.act_quant)}"


def _bits(quantizer: Any) -> str:
    if isinstance(quantizer, Identity):
        return "32"
    return "ternary" if quantizer.is_ternary else str(quantizer.bits)
