"""How large a quantized model is, by the paper's accounting and honestly.

    paper     every quantized weight counts its bits (ternary 2), every other number 8, scales
              nothing: the reading under which TerViT's Swin-S has 13.1 MB. A float model: 32 bits.
    honest    what a file must hold: ternary codes five to a byte (1.6 bit), other codes in their
              bits, one float32 scale for each channel, everything unquantized in float32
    float32   four bytes a number

in bytes, computed from the shapes; MB is 10^6 bytes.
"""

from typing import NamedTuple

import numpy as np

from tervit_np.models import Classifier
from tervit_np.quant import Identity, Ternary


class Sizes(NamedTuple):
    """Bytes of one model."""

    paper: int
    honest: int
    float32: int


class Ternarity(NamedTuple):
    """How ternary a model is."""

    share: float  # of the weights of all blocks, those that are ternary
    sparsity: float  # of the ternary weights, those that are zero


def sizes(model: Classifier) -> Sizes:
    """Count the bytes of a model with its quantizers."""
    total = model.num_params()
    bits, honest_bits, quantized, scales = 0.0, 0.0, 0, 0
    for _, layer in model.quantizable():
        if layer.weight is None or isinstance(layer.weight_quant, Identity):
            continue
        count = layer.weight.size
        ternary = isinstance(layer.weight_quant, Ternary)
        quantized += count
        bits += count * (2 if ternary else layer.weight_quant.bits)
        honest_bits += 8 * -(-count // 5) if ternary else count * layer.weight_quant.bits
        scales += layer.weight_quant.codes(layer.weight.data).scale.size
    rest = total - quantized
    paper = bits / 8 + rest * (1 if quantized else 4)
    return Sizes(round(paper), round(honest_bits / 8) + 4 * (rest + scales), 4 * total)


def ternarity(model: Classifier) -> Ternarity | None:
    """Measure shares of ternary and of zero weights; None for a model without ternary layers."""
    blocks, ternary, zeros = 0, 0, 0
    for name, layer in model.quantizable():
        if layer.weight is None or not name.startswith(("blocks.", "layers.")):
            continue
        blocks += layer.weight.size
        if isinstance(layer.weight_quant, Ternary):
            codes = layer.weight_quant.codes(layer.weight.data).codes
            ternary += codes.size
            zeros += int(np.sum(codes == 0))
    return Ternarity(ternary / blocks, zeros / ternary) if ternary else None
