"""Put a plan's quantizers into a model, and read them back."""

import re
from typing import Any

from tervit_np.models.classifier import Classifier, require_model
from tervit_np.nn.quantized_layer import QuantizedLayer
from tervit_np.ops.mixed_precision import check_precision
from tervit_np.quant import IDENTITY, Identity, Plan, named_plan
from tervit_np.quant.spec import quantizer_to_spec


def quantize(model: Classifier, plan: str | Plan) -> Classifier:
    """Quantize a model in place and return it.

    Latent weights and Param objects do not change, so "float" restores the same logits to the last
    bit.

    Raises
    ------
    ValueError
        If the plan's name is unknown, a quantizer of it cannot take a layer's weight or inputs, or
        the model is packed; no layer changes then.
    """
    require_model(model)
    model.require_latent_weights()
    named_plan(plan).apply(model.quantizable(), model.norms())
    return model


def set_precision(model: Classifier, precision: str) -> None:
    """Set the precision of the products of all layers' backward passes (ops/mixed_precision.py).

    Raises
    ------
    ValueError
        If the precision is unknown.
    """
    check_precision(precision)
    for _, layer in model.quantizable():
        if isinstance(layer, QuantizedLayer):
            layer.precision = precision


def plan_of(model: Classifier) -> Plan:
    """Return the plan of a model's quantizers, with one rule for all layers that have the same.

    LayerNorms whose gamma is quantized come last.
    """
    layers_of: dict[tuple[type, type, str], tuple[list[str], Any]] = {}
    pairs = [(name, (m.weight_quant, m.act_quant)) for name, m in model.quantizable()]
    pairs += [(name, (m.gamma_quant, IDENTITY)) for name, m in model.norms()]
    for name, pair in pairs:
        if not all(isinstance(quantizer, Identity) for quantizer in pair):
            specs = str([quantizer_to_spec(quantizer) for quantizer in pair])
            key = type(pair[0]), type(pair[1]), specs  # two classes may have one name
            layers_of.setdefault(key, ([], pair))[0].append(re.escape(name))
    return Plan([("|".join(names), *pair) for names, pair in layers_of.values()])
