"""The loss-surface gap in its cleanest form: what rounding alone costs, without any training.

    gap_k = L(w_hat_k) - L(w)        at the same latent weights w

for k in 8 bit, ternary with one interval for a whole matrix, ternary with one for each channel. The
paper argues with this gap (TerViT, section on progressive training); the two ternary kinds are its
ablation of channel-wise ternarization. Activations are rounded as the plans say.
"""

from collections.abc import Mapping
from typing import NamedTuple

from tervit_np.analysis.surfaces.family import Family, with_weights
from tervit_np.analysis.surfaces.points import Runner
from tervit_np.analysis.surfaces.resampling import bootstrap_weights, standard_error
from tervit_np.arrays import Array
from tervit_np.models import Classifier, quantize
from tervit_np.quant import PLANS, Plan, Ternary, UniformAct, UniformWeight
from tervit_np.quant.plan import ENCODER, OUTSIDE

LAYER_WISE = Plan(
    [
        (ENCODER, Ternary("tensor"), UniformAct(8)),
        (OUTSIDE, UniformWeight(8), UniformAct(8)),
    ]
)
KINDS: dict[str, Plan] = {
    "8-bit": PLANS["int8"],
    "ternary, layer-wise": LAYER_WISE,
    "ternary, channel-wise": PLANS["ternary"],
}


class Gap(NamedTuple):
    """The loss with quantized weights, and its distance from the float loss."""

    name: str
    loss: float
    gap: float
    error: float  # of the gap, by resampling the images in pairs


class Gaps(NamedTuple):
    """The float loss of some latent weights and the gaps above it."""

    latent: str  # whose weights
    loss: float
    error: float
    gaps: tuple[Gap, ...]


def quantized(model: Classifier, plan: str | Plan) -> Classifier:
    """Copy a model, latent weights shared, with other quantizers."""
    return quantize(with_weights(model, {}), plan)


def gaps(
    model: Classifier,
    images: Array,
    labels: Array,
    *,
    kinds: Mapping[str, Plan] = KINDS,
    latent: str = "float",
    seed: int = 0,
    runner: Runner | None = None,
) -> Gaps:
    """Measure the gap of each kind of weights.  (N, 3, S, S), (N,) -> Gaps.

    `model` gives the latent weights; its own quantizers do not count. `latent` names them.

    Raises
    ------
    ValueError
        If there are no images, or not a label for each.
    """
    runner = runner or Runner()
    flat = quantized(model, "float")
    name = f"gaps-{latent}"
    floats = runner.losses(f"{name}-float", Family(flat), images, labels, [()])[0]
    draws = bootstrap_weights(len(labels), seed)
    found = []
    for i, (kind, plan) in enumerate(kinds.items()):
        family = Family(quantized(model, plan))
        losses = runner.losses(f"{name}-{i}", family, images, labels, [()])[0]
        error = float(standard_error(losses - floats, draws))
        loss, zero = (float(each.mean(dtype=float)) for each in (losses, floats))
        found.append(Gap(kind, loss, loss - zero, error))
    own = float(floats.mean(dtype=float)), float(standard_error(floats, draws))
    return Gaps(latent, *own, tuple(found))
