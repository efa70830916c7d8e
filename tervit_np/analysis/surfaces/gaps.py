"""The loss-surface gap in its cleanest form: what rounding alone costs, without any training.

    gap_k = L(w_hat_k) - L(w)        at the same latent weights w

for k in 8 bit, ternary with one interval for a whole matrix, ternary with one for each channel. The
paper argues with this gap (TerViT, section on progressive training); the two ternary kinds are its
ablation of channel-wise ternarization. Activations are rounded as the plans say.
"""

from collections.abc import Mapping
from typing import NamedTuple

from tervit_np.analysis.surfaces.affine_models import Family, with_weights
from tervit_np.analysis.surfaces.resampling import bootstrap_weights, standard_error
from tervit_np.analysis.surfaces.runner import Runner
from tervit_np.arrays import Array
from tervit_np.models import Classifier, quantize
from tervit_np.quant import PLANS, Plan

KINDS: dict[str, Plan] = {
    "8-bit": PLANS["int8"],
    "ternary, layer-wise": PLANS["ternary-layer"],
    "ternary, channel-wise": PLANS["ternary"],
}


class Gap(NamedTuple):
    """The loss with quantized weights and its distances; errors by resampling images in pairs."""

    name: str
    loss: float
    gap: float  # above the float loss
    error: float
    saved: float  # below the kind before it (the float loss, for the first kind)
    saved_error: float


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
    found, before = [], floats
    for i, (kind, plan) in enumerate(kinds.items()):
        family = Family(quantized(model, plan))
        losses = runner.losses(f"{name}-{i}", family, images, labels, [()])[0]
        gap, saved = _paired(losses - floats, draws), _paired(before - losses, draws)
        found.append(Gap(kind, float(losses.mean(dtype=float)), *gap, *saved))
        before = losses
    return Gaps(latent, *_paired(floats, draws), tuple(found))


def _paired(losses: Array, draws: Array) -> tuple[float, float]:
    """Average losses, or differences of them, with the error.  (N,) -> mean, error."""
    return float(losses.mean(dtype=float)), float(standard_error(losses, draws))
