"""Put a plan's quantizers into a model."""

from tervit_np.models.classifier import Classifier
from tervit_np.quant import Plan, named_plan


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
