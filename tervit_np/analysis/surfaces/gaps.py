"""The gap between loss surfaces: the cost of rounding alone, without any training.

    gap_k = L(w_hat_k) - L(w)        at the same latent weights w

for k in 8 bit, ternary with one threshold and scale for a matrix, ternary with one for each
channel. The paper motivates progressive training by this gap (TerViT); the two ternary kinds are
its ablation of channel-wise ternarization. Activations are rounded as the plans say.
"""

import copy
from collections.abc import Mapping
from typing import NamedTuple

from tervit_np.analysis.surfaces.affine_models import AffineModels, with_weights
from tervit_np.analysis.surfaces.resampling import bootstrap_weights, standard_error
from tervit_np.analysis.surfaces.runner import Runner
from tervit_np.arrays import Array
from tervit_np.models import Classifier, plan_of, quantize
from tervit_np.quant import PLANS, Plan, StaticAct

KINDS: dict[str, Plan] = {
    "8-bit": PLANS["int8"],
    "ternary, layer-wise": PLANS["ternary-layer"],
    "ternary, channel-wise": PLANS["ternary"],
}


class Gap(NamedTuple):
    """The loss with quantized weights and its distances; errors by paired resampling of images."""

    name: str
    loss: float
    gap: float  # above the float loss
    error: float
    saved: float  # decrease from the kind before it (for the first kind, from the float loss)
    saved_error: float


class Gaps(NamedTuple):
    """The float loss of some latent weights and the gaps above it."""

    latent: str  # whose weights
    loss: float
    error: float
    gaps: tuple[Gap, ...]


def quantized(model: Classifier, plan: str | Plan) -> Classifier:
    """Copy a model with other quantizers; the copy shares the latent weights."""
    return quantize(with_weights(model, {}), plan)


def quantized_as(model: Classifier, other: Classifier) -> Classifier:
    """Copy a model with the quantizers of another; the copy shares the latent weights.

    Learned inputs for which the model has no scale get that of the other: without pictures there
    is nothing to calibrate them by.
    """
    return _with_input_scales(quantized(model, plan_of(other)), other)


def _with_input_scales(model: Classifier, other: Classifier) -> Classifier:
    """Give inputs without a scale that of another model, where it has the same rule."""
    calibrated = dict(other.quantizable())
    for name, layer in model.quantizable():
        act, own = layer.act_quant, calibrated[name].act_quant
        if isinstance(act, StaticAct) and act.scale is None and type(own) is type(act):
            layer.act_quant = copy.deepcopy(own)
    return model


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

    `model` gives the latent weights, which `latent` names, and fixed scales of inputs to kinds that
    have them; its other quantizers are not used.

    Raises
    ------
    ValueError
        If there are no images, or not one label for each, a class of the model.
    """
    runner = runner or Runner()
    flat = quantized(model, "float")
    name = f"gaps-{latent}"
    floats = runner.losses(f"{name}-float", AffineModels(flat), images, labels, [()])[0]
    draws = bootstrap_weights(len(labels), seed)
    rows, before = [], floats
    for i, (kind, plan) in enumerate(kinds.items()):
        # Of what the model has learned only scales of inputs, which need pictures.
        models = AffineModels(_with_input_scales(quantized(flat, plan), model))
        losses = runner.losses(f"{name}-{i}", models, images, labels, [()])[0]
        gap, saved = _paired(losses - floats, draws), _paired(before - losses, draws)
        rows.append(Gap(kind, float(losses.mean(dtype=float)), *gap, *saved))
        before = losses
    return Gaps(latent, *_paired(floats, draws), tuple(rows))


def _paired(losses: Array, draws: Array) -> tuple[float, float]:
    """Average losses or differences of losses.  (N,) -> mean, standard error."""
    return float(losses.mean(dtype=float)), float(standard_error(losses, draws))
