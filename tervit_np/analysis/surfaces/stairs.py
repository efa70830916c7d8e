"""How a ternary loss changes under the microscope: flat between the flips of single codes.

A latent weight acts through its code alone (and, weakly, through its row's scale). Along a line the
loss is nearly constant until one weight crosses its threshold, and jumps there. From afar so many
codes flip between two neighbouring points that the curve only looks rough. Activations are float
here: rounded ones jump as well, at every flip of their own.
"""

from typing import NamedTuple

import numpy as np

from tervit_np.analysis.surfaces.affine_models import Direction, Family, with_weights
from tervit_np.analysis.surfaces.directions import Curve, around_zero, line
from tervit_np.analysis.surfaces.runner import Runner
from tervit_np.arrays import Array
from tervit_np.models import Classifier
from tervit_np.quant import IDENTITY, Ternary

_FLIPS = 20  # codes that change on each side of the origin, about
_PROBES = (1e-3, 1e-2, 1e-1, 1.0)  # where flips are counted to find the reach
_ENOUGH = 5  # flips to tell a rate from


class Stairs(NamedTuple):
    """The loss close up, and how many codes differ from those at the origin."""

    curve: Curve
    changed: Array  # (P,) of `codes`
    codes: int  # ternary weights in all


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
    """Measure a ternary model so close that some twenty codes flip on each side.

    (N, 3, S, S), (N,) -> Stairs.

    Raises
    ------
    ValueError
        If no layer is ternary, or the direction flips next to no code.
    """
    flat = with_weights(model, {})
    for _, layer in flat.quantizable():
        layer.act_quant = IDENTITY
    family, origin = Family(flat, (direction,)), ternary_codes(flat)
    x = around_zero(_reach(family, origin), steps)
    curve = line(flat, images, labels, direction, x, name="stairs", seed=seed, runner=runner)
    changed = [(ternary_codes(family.at((float(each),))) != origin).sum() for each in x]
    return Stairs(curve, np.array(changed), origin.size)


def _reach(family: Family, origin: Array) -> float:
    """Find the distance at which about twenty codes have flipped."""
    for probe in _PROBES:
        flips = int((ternary_codes(family.at((probe,))) != origin).sum())
        if flips >= _ENOUGH:
            return probe * _FLIPS / flips
    raise ValueError(f"stairs: the direction flips next to none of {origin.size} codes")


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
        if layer.weight is not None and isinstance(layer.weight_quant, Ternary)
    ]
    if not codes:
        raise ValueError("stairs: no layer of this model is ternary")
    return np.concatenate(codes)
