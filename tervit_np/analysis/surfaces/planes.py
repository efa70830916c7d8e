"""Stacked surfaces: one plane in weight space, with float, 8-bit and ternary weights.

    W_1 + x mean|W_1|,  W_2 + y mean|W_2|        x, y in -1 .. 1

after BinaryBERT (Bai et al. 2021), whose figure TerViT most likely follows. W_1 and W_2 are the
value rows of qkv in the first two blocks, which is our choice. The latent weights are shifted, then
quantized; the gap is the vertical distance between surfaces.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tervit_np.analysis.surfaces.affine_models import AffineModels
from tervit_np.analysis.surfaces.directions import Grid2D, around_zero
from tervit_np.analysis.surfaces.gaps import quantized
from tervit_np.analysis.surfaces.resampling import bootstrap_weights, standard_error
from tervit_np.analysis.surfaces.runner import Runner
from tervit_np.arrays import Array
from tervit_np.models import Classifier

PLANS = {"float": "float", "8-bit": "int8", "ternary": "ternary"}


class Height(NamedTuple):
    """The height of a surface, and its distance above the first one."""

    name: str
    centre: float
    centre_error: float
    mean: float  # over the grid
    distance: float  # mean vertical distance from the first surface
    distance_error: float  # by paired resampling of the images


class Plane(NamedTuple):
    """Several surfaces over one plane."""

    layers: tuple[str, ...]  # their value rows are shifted along x and y
    units: Array  # (surfaces, 2): mean|W_1|, mean|W_2| of each model
    grids: tuple[Grid2D, ...]
    heights: tuple[Height, ...]


def plane(
    model: Classifier,
    images: Array,
    labels: Array,
    *,
    reach: float = 1.0,
    steps: int = 11,
    seed: int = 0,
    runner: Runner | None = None,
) -> Plane:
    """Measure the float, 8-bit and ternary surfaces of the same latent weights.

    (N, 3, S, S), (N,) -> Plane of steps x steps points.

    Raises
    ------
    ValueError
        If the model has fewer than two blocks with attention, or `steps` is even or below 3.
    """
    models = {name: quantized(model, plan) for name, plan in PLANS.items()}
    return stacked(models, images, labels, reach=reach, steps=steps, seed=seed, runner=runner)


def stacked(
    models: Mapping[str, Classifier],
    images: Array,
    labels: Array,
    *,
    reach: float = 1.0,
    steps: int = 11,
    seed: int = 0,
    runner: Runner | None = None,
    name: str = "plane",
) -> Plane:
    """Measure the surface of each model, in units of its own mean|W_1| and mean|W_2|.

    Raises
    ------
    ValueError
        If a model has fewer than two blocks with attention, or `steps` is even or below 3.
    """
    if steps < 3 or steps % 2 == 0:
        raise ValueError(
            f"surface: a plane of {steps} points along a side; expected an odd number of at least "
            "3, so that its centre is the model itself"
        )
    runner = runner or Runner()
    along = around_zero(reach, steps)
    points = [(float(x), float(y)) for x in along for y in along]
    grids, units, samples = [], [], []
    for kind, model in models.items():
        shifts, unit = value_shifts(model)
        shifted = AffineModels(model, shifts)
        losses = runner.losses(f"{name}-{kind}", shifted, images, labels, points)
        loss = losses.mean(axis=1, dtype=float).reshape(steps, steps)
        grids.append(Grid2D(kind, along, along, loss))
        units.append(unit)
        samples.append(losses)
    layers = tuple(value_layers(next(iter(models.values()))))
    return Plane(layers, np.array(units), tuple(grids), _heights(grids, samples, seed))


def value_layers(model: Classifier) -> list[str]:
    """Name the qkv weights of the first two blocks.

    Raises
    ------
    ValueError
        If there are fewer than two.
    """
    names = [f"{name}.weight" for name, _ in model.quantizable() if name.endswith("attn.qkv")]
    if len(names) < 2:
        raise ValueError(f"surface: the plane needs two blocks, the model has {len(names)}")
    return names[:2]


def value_shifts(model: Classifier) -> tuple[tuple[dict[str, Array], ...], list[float]]:
    """Return directions that shift all value weights by their mean magnitude, and these units."""
    params, shifts, units = dict(model.named_params()), [], []
    for name in value_layers(model):
        w = params[name].data
        first = 2 * len(w) // 3  # rows of q, k, then v
        unit = float(np.abs(w[first:]).mean(dtype=float))
        shift = np.zeros_like(w)
        shift[first:] = unit
        shifts.append({name: shift})
        units.append(unit)
    return tuple(shifts), units


def _heights(grids: list[Grid2D], samples: list[Array], seed: int) -> tuple[Height, ...]:
    draws = bootstrap_weights(samples[0].shape[1], seed)
    middle = len(samples[0]) // 2
    first = samples[0].mean(axis=0, dtype=float)  # over the grid, for each image
    heights = []
    for grid, losses in zip(grids, samples, strict=True):
        above = losses.mean(axis=0, dtype=float) - first
        centre, error = losses[middle].mean(dtype=float), standard_error(losses[middle], draws)
        heights.append(
            Height(grid.name, float(centre), float(error), float(grid.loss.mean()),
                   float(above.mean()), float(standard_error(above, draws)))
        )  # fmt: skip
    return tuple(heights)
