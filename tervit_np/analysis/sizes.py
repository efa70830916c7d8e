"""The size of a quantized model in bytes, by four accountings.

    paper      every quantized weight counts its bits (ternary 2), every other parameter 8 bits, no
               scales: with this rule TerViT's Swin-S has 13.1 MB. A float model counts 32 bits.
    as stored  in a packed file, without its header: ternary codes five to a byte (1.6 bits), other
               codes in their number of bits, one float32 scale for each channel, everything else in
               float32
    FTerViT    the fully ternary variant (2026): every matrix and every LayerNorm at 2 bits, tokens
               and positions in float16, other biases in float32, no scales
    float32    four bytes for each parameter

All are computed from shapes; MB is 10^6 bytes.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tervit_np.deploy import base3, bit_packing
from tervit_np.models import Classifier
from tervit_np.quant import IDENTITY, Identity, Quantizer

# The first that matches a name and a number of axes.
GROUPS: dict[str, Callable[[str, int], object]] = {
    "patch embedding": lambda name, axes: name.startswith("patch_embed.") and axes > 1,
    "head": lambda name, axes: name.startswith("head") and axes > 1,
    "tokens and positions": lambda name, axes: re.search(r"token$|pos_embed$|table$", name),
    "block matrices": lambda name, axes: axes > 1,
    "norms and biases": lambda name, axes: True,
}


class Cost(NamedTuple):
    """Bytes of one tensor, or of several together."""

    name: str
    parameters: int
    paper: float
    stored: float
    ftervit: float
    float32: float


class Sizes(NamedTuple):
    """Bytes of one model."""

    paper: int
    stored: int
    float32: int


class Ternarity(NamedTuple):
    """How many weights of a model are ternary, and how many of these are zero."""

    fraction: float  # of ternary weights among the weights of all blocks
    sparsity: float  # fraction of zeros among the ternary weights


def costs(model: Classifier) -> list[Cost]:
    """Count each parameter of a model with its quantizers, in official order.

    Raises
    ------
    ValueError
        If the model is packed: the weights of its packed layers are no parameters.
    """
    model.require_latent_weights()
    quantizers = {f"{name}.weight": layer.weight_quant for name, layer in model.quantizable()}
    quantizers |= {f"{name}.weight": norm.gamma_quant for name, norm in model.norms()}
    quantized = any(not isinstance(quantizer, Identity) for quantizer in quantizers.values())
    return [
        _cost(name, param.shape, quantizers.get(name, IDENTITY), quantized)
        for name, param in model.official_params()
    ]


def _cost(name: str, shape: tuple[int, ...], quant: Quantizer, model_quantized: bool) -> Cost:
    count = int(np.prod(shape))
    paper, stored = count * (1.0 if model_quantized else 4.0), 4.0 * count
    if not isinstance(quant, Identity):
        paper = count * (2 if quant.is_ternary else quant.bits) / 8
        ternary_bytes = -(-count // base3.CODES_PER_BYTE)
        codes = (
            ternary_bytes if quant.is_ternary else bit_packing.packed_size(count, quant.code_bits)
        )
        stored = codes + 4 * quant.num_scales(shape)
    if group_of(name, len(shape)) == "tokens and positions":
        ftervit = 2.0 * count
    else:
        ftervit = count / 4 if len(shape) > 1 or re.search(r"(^|\.)norm", name) else 4.0 * count
    return Cost(name, count, paper, stored, ftervit, 4.0 * count)


def group_of(name: str, axes: int) -> str:
    """Return the group of a parameter."""
    return next(group for group, matches in GROUPS.items() if matches(name, axes))


def total(name: str, costs: list[Cost]) -> Cost:
    """Add costs up under one name."""
    return Cost(name, *(sum(column) for column in list(zip(*costs, strict=True))[1:]))


def grouped(model: Classifier) -> list[Cost]:
    """Add the costs up by group; the last entry is the sum of all.  ValueError as of `costs`."""
    groups: dict[str, list[Cost]] = {group: [] for group in GROUPS}
    shapes = {name: param.shape for name, param in model.official_params()}
    every = costs(model)
    for cost in every:
        groups[group_of(cost.name, len(shapes[cost.name]))].append(cost)
    return [total(group, some) for group, some in groups.items() if some] + [total("all", every)]


def sizes(model: Classifier) -> Sizes:
    """Count the bytes of a model with its quantizers; ValueError if it is packed."""
    cost = total("all", costs(model))
    return Sizes(round(cost.paper), round(cost.stored), round(cost.float32))


def ternarity(model: Classifier) -> Ternarity | None:
    """Count ternary weights and their zeros; None for a model without ternary layers.

    Raises
    ------
    ValueError
        If the model is packed.
    """
    model.require_latent_weights()
    blocks, ternary, zeros = 0, 0, 0
    for name, layer in model.quantizable():
        if layer.weight is None or not name.startswith(("blocks.", "layers.")):
            continue
        blocks += layer.weight.size
        if layer.weight_quant.is_ternary:
            codes = layer.weight_quant.encode(layer.weight.data).codes
            ternary += codes.size
            zeros += int(np.sum(codes == 0))
    return Ternarity(ternary / blocks, zeros / ternary) if ternary else None
