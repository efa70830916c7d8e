"""The stairs of a ternary loss: nearly constant between the flips of single codes.

A latent weight changes the loss through its code alone (and, weakly, through the scale of its row).
Along a line the loss is nearly constant until a weight crosses its threshold, and jumps there. At a
coarser scale many codes flip between neighbouring points, and the curve only looks rough.
Activations are float here, because rounded ones would add jumps of their own.
"""

from typing import NamedTuple

import numpy as np

from tervit_np.analysis.surfaces.affine_models import AffineModels, Direction, with_weights
from tervit_np.analysis.surfaces.directions import Curve, around_zero, line
from tervit_np.analysis.surfaces.runner import Runner
from tervit_np.arrays import Array
from tervit_np.models import Classifier
from tervit_np.quant import IDENTITY

_FLIPS = 20  # codes, about, that flip on each side of the origin
_PROBES = (1e-3, 1e-2, 1e-1, 1.0)  # distances at which flips are counted
_MIN_FLIPS = 5  # from which a rate is computed


class Stairs(NamedTuple):
    """The loss at a fine scale, and how many codes differ from those at the origin."""

    curve: Curve
    changed: Array  # (P,) codes that differ
    codes: int  # number of ternary weights


def stairs(
    model: Classifier,
    images: Array,
    labels: Array,
    direction: Direction,
    *,
    steps: int = 81,
    seed: int = 0,
    runner: Runner | None = None,
) -> Stairs:
    """Measure a ternary model within the distance at which about twenty codes flip.

    (N, 3, S, S), (N,) -> Stairs.

    Raises
    ------
    ValueError
        If no layer is ternary, or the direction flips fewer than five codes.
    """
    flat = with_weights(model, {})
    for _, layer in flat.quantizable():
        layer.act_quant = IDENTITY
    models, origin = AffineModels(flat, (direction,)), ternary_codes(flat)
    x = around_zero(_reach(models, origin), steps)
    curve = line(flat, images, labels, direction, x, name="stairs", seed=seed, runner=runner)
    changed = [(ternary_codes(models.at((float(each),))) != origin).sum() for each in x]
    return Stairs(curve, np.array(changed), origin.size)


def _reach(models: AffineModels, origin: Array) -> float:
    """Find the distance at which about twenty codes have flipped."""
    for probe in _PROBES:
        flips = int((ternary_codes(models.at((probe,))) != origin).sum())
        if flips >= _MIN_FLIPS:
            return probe * _FLIPS / flips
    raise ValueError(f"stairs: the direction flips fewer than {_MIN_FLIPS} of {origin.size} codes")


def ternary_codes(model: Classifier) -> Array:
    """Return the codes of all ternary weights, in order.  -> int8 (n,).

    Raises
    ------
    ValueError
        If no layer is ternary.
    """
    codes = [
        layer.weight_quant.encode(layer.weight.data).codes.ravel()
        for _, layer in model.quantizable()
        if layer.weight is not None and layer.weight_quant.is_ternary
    ]
    if not codes:
        raise ValueError("stairs: no layer of this model is ternary")
    return np.concatenate(codes)
