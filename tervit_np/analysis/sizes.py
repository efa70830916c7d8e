"""How large a quantized model is, by the paper's accounting, honestly, and otherwise.

    paper     every quantized weight counts its bits (ternary 2), every other number 8, scales
              nothing: the reading under which TerViT's Swin-S has 13.1 MB. A float model: 32 bits.
    honest    what a file must hold: ternary codes five to a byte (1.6 bit), other codes in their
              bits, one float32 scale for each channel, everything unquantized in float32
    FTerViT   the fully ternary variant (2026): every matrix and every LayerNorm at 2 bits, tokens
              and positions in float16, other biases in float32, scales nothing
    float32   four bytes a number

in bytes, computed from the shapes; MB is 10^6 bytes.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tervit_np.models import Classifier
from tervit_np.quant import Identity, Ternary

GROUPS: dict[str, Callable[[str, int], object]] = {  # the first that fits; name and axes decide
    "patch embedding": lambda name, axes: name.startswith("patch_embed.") and axes > 1,
    "head": lambda name, axes: name.startswith("head") and axes > 1,
    "tokens and positions": lambda name, axes: re.search(r"token$|pos_embed$|table$", name),
    "block matrices": lambda name, axes: axes > 1,
    "norms and biases": lambda name, axes: True,
}


class Cost(NamedTuple):
    """Bytes of one tensor, or of several together."""

    name: str
    numbers: int
    paper: float
    honest: float
    ftervit: float
    float32: float


class Sizes(NamedTuple):
    """Bytes of one model."""

    paper: int
    honest: int
    float32: int


class Ternarity(NamedTuple):
    """How ternary a model is."""

    share: float  # of the weights of all blocks, those that are ternary
    sparsity: float  # of the ternary weights, those that are zero


def costs(model: Classifier) -> list[Cost]:
    """Count each parameter of a model with its quantizers, in official order."""
    layers = {f"{name}.weight": layer for name, layer in model.quantizable()}
    quantized = any(not isinstance(layer.weight_quant, Identity) for layer in layers.values())
    return [
        _cost(name, param.shape, layers.get(name), quantized)
        for name, param in model.named_params()
    ]


def _cost(name: str, shape: tuple[int, ...], layer: Any, model_quantized: bool) -> Cost:
    count = int(np.prod(shape))
    paper, honest = count * (1.0 if model_quantized else 4.0), 4.0 * count
    if layer is not None and not isinstance(layer.weight_quant, Identity):
        quant = layer.weight_quant
        ternary = isinstance(quant, Ternary)
        whole = getattr(quant, "granularity", getattr(quant, "per", "")) == "tensor"
        paper = count * (2 if ternary else quant.bits) / 8
        codes = -(-count // 5) if ternary else count * quant.bits / 8
        honest = codes + 4 * (1 if whole else shape[0])
    if group_of(name, len(shape)) == "tokens and positions":
        ftervit = 2.0 * count
    else:
        ftervit = count / 4 if len(shape) > 1 or re.search(r"(^|\.)norm", name) else 4.0 * count
    return Cost(name, count, paper, honest, ftervit, 4.0 * count)


def group_of(name: str, axes: int) -> str:
    """Return the group that a parameter belongs to."""
    return next(group for group, fits in GROUPS.items() if fits(name, axes))


def total(name: str, parts: list[Cost]) -> Cost:
    """Add costs up under one name."""
    return Cost(name, *(sum(column) for column in list(zip(*parts, strict=True))[1:]))


def grouped(model: Classifier) -> list[Cost]:
    """Count the parameters of each group, and all together in the last line."""
    parts: dict[str, list[Cost]] = {group: [] for group in GROUPS}
    shapes = {name: param.shape for name, param in model.named_params()}
    each = costs(model)
    for cost in each:
        parts[group_of(cost.name, len(shapes[cost.name]))].append(cost)
    return [total(group, of) for group, of in parts.items() if of] + [total("all", each)]


def sizes(model: Classifier) -> Sizes:
    """Count the bytes of a model with its quantizers."""
    every = total("all", costs(model))
    return Sizes(round(every.paper), round(every.honest), round(every.float32))


def ternarity(model: Classifier) -> Ternarity | None:
    """Measure shares of ternary and of zero weights; None for a model without ternary layers."""
    blocks, ternary, zeros = 0, 0, 0
    for name, layer in model.quantizable():
        if layer.weight is None or not name.startswith(("blocks.", "layers.")):
            continue
        blocks += layer.weight.size
        if isinstance(layer.weight_quant, Ternary):
            codes = layer.weight_quant.encode(layer.weight.data).codes
            ternary += codes.size
            zeros += int(np.sum(codes == 0))
    return Ternarity(ternary / blocks, zeros / ternary) if ternary else None
