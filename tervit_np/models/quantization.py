"""Put a plan's quantizers into a model, and read them back."""

import re

from tervit_np.models.classifier import Classifier
from tervit_np.quant import Identity, Plan, named_plan


def quantize(model: Classifier, plan: str | Plan) -> Classifier:
    """Quantize a model in place and return it.

    Latent weights and Param objects stay what they are, so "float" restores the same logits to the
    last bit.

    Raises
    ------
    ValueError
        If the plan's name is unknown.
    """
    named_plan(plan).apply(model.quantizable())
    return model


def plan_of(model: Classifier) -> Plan:
    """Return the plan that a model follows, one rule for each quantized layer."""
    return Plan(
        [
            (re.escape(name), layer.weight_quant, layer.act_quant)
            for name, layer in model.quantizable()
            if not (
                isinstance(layer.weight_quant, Identity) and isinstance(layer.act_quant, Identity)
            )
        ]
    )
