"""The straight line from the float solution to the ternary one: w(x) = w_f + x (w_t - w_f).

It is measured twice (Goodfellow et al. 2015; Li et al. 2018): w(x) as a float model, and w(x)
rounded like the ternary solution. Where the curves cross, rounding costs nothing; beyond, the
rounded weights have the smaller loss.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tervit_np.analysis.surfaces.affine_models import difference
from tervit_np.analysis.surfaces.directions import Curve, line
from tervit_np.analysis.surfaces.gaps import quantized, quantized_as
from tervit_np.analysis.surfaces.runner import Runner
from tervit_np.arrays import Array
from tervit_np.models import Classifier

NAMES = ("float", "ternary")


class Interpolation(NamedTuple):
    """Two losses along one line."""

    curves: tuple[Curve, ...]  # of float models, and of models quantized like the end
    crossings: tuple[float, ...]  # x at which they are equal
    minima: tuple[float, ...]  # x of each curve's lowest point


def interpolation(
    start: Classifier,
    end: Classifier,
    images: Array,
    labels: Array,
    x: Sequence[float] | Array | None = None,
    *,
    seed: int = 0,
    runner: Runner | None = None,
) -> Interpolation:
    """Measure both losses from `start` (x = 0) to `end` (x = 1), with the quantizers of `end`.

    Learned scales of weights move too: at x = 0 a new stage would begin with them.

    (N, 3, S, S), (N,) -> Interpolation; by default at 41 points from -0.5 to 1.5.

    Raises
    ------
    ValueError
        If the models differ in the shapes of their parameters.
    """
    runner = runner or Runner()
    along = np.linspace(-0.5, 1.5, 41).round(12) if x is None else np.asarray(x, float)
    models = quantized(start, "float"), quantized_as(start, end)
    curves = tuple(
        line(m, images, labels, difference(m, end), along, name=f"interpolation-{name}", seed=seed,
             runner=runner)._replace(name=name)
        for name, m in zip(NAMES, models, strict=True)
    )  # fmt: skip
    gap = curves[1].loss - curves[0].loss
    minima = tuple(float(along[curve.loss.argmin()]) for curve in curves)
    return Interpolation(curves, crossings(along, gap), minima)


def crossings(x: Array, gap: Array) -> tuple[float, ...]:
    """Return where (x, gap) crosses zero, by linear interpolation between points.

    A gap that is zero everywhere crosses it nowhere.
    """
    if not gap.any():
        return ()
    change = np.flatnonzero(np.sign(gap[:-1]) * np.sign(gap[1:]) < 0)
    fraction = gap[change] / (gap[change] - gap[change + 1])
    between = x[change] + fraction * (x[change + 1] - x[change])
    return tuple(sorted(map(float, [*between, *x[gap == 0]])))
