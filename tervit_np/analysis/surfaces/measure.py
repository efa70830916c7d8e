"""Measure all surfaces of one run: of its float, its 8-bit and its ternary solution."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from data_tools import LabelledSet, normalise
from tervit_np.analysis.surfaces.affine_models import rounded
from tervit_np.analysis.surfaces.curvature import (
    PASSES_PER_PRODUCT,
    Curvature,
    curvature,
    predictions,
    ternary_weights,
)
from tervit_np.analysis.surfaces.directions import (
    Curve,
    Grid2D,
    around_zero,
    grid2d,
    line,
    random_direction,
)
from tervit_np.analysis.surfaces.gaps import KINDS, gaps, quantized
from tervit_np.analysis.surfaces.interpolation import interpolation
from tervit_np.analysis.surfaces.planes import plane, stacked
from tervit_np.analysis.surfaces.results import Settings, Surfaces
from tervit_np.analysis.surfaces.runner import Runner
from tervit_np.analysis.surfaces.stairs import stairs
from tervit_np.arrays import Array
from tervit_np.checkpoints import load_model
from tervit_np.models import Classifier
from tervit_np.quant import Identity, Plan
from tervit_np.train.folder import RunFolder

FAR, NEAR = 0.6, 0.05  # reaches of lines, in lengths of each row
STEPS, PROBES = 14, 6  # of Lanczos, of the trace
STAIRS = 81  # points
_STREAM = 0x1316
Sample: TypeAlias = tuple[Array, Array]  # images (N, 3, S, S), labels (N,)


class RunModels(NamedTuple):
    """The models of a run by kind, and the stage of each."""

    models: dict[str, Classifier]  # float, 8-bit, ternary
    stages: dict[str, str]


def run_models(path: str | Path) -> RunModels:
    """Load the last finished float, 8-bit and ternary stage; without 8 bit, round the float one.

    Raises
    ------
    ValueError
        If there is no run, or no float or no ternary stage is finished.
    """
    folder = RunFolder(path)
    models: dict[str, Classifier] = {}
    stages: dict[str, str] = {}
    for stage in folder.stage_names():
        if (file := folder.stage_file(stage)).exists():
            model, _ = load_model(file)
            if (kind := _kind(model)) is not None:
                models[kind], stages[kind] = model, stage
    for kind in ("float", "ternary"):
        if kind not in models:
            raise ValueError(
                f"{folder.path}: no {kind} stage is finished; surfaces need a float and a "
                "ternary solution, as `tervit train` makes them"
            )
    if "8-bit" not in models:
        models["8-bit"], stages["8-bit"] = quantized(models["float"], "int8"), "float, rounded"
    order = ("float", "8-bit", "ternary")
    return RunModels({k: models[k] for k in order}, {k: stages[k] for k in order})


def draw_sample(images: LabelledSet, count: int, seed: int) -> Sample:
    """Draw images by a seed, normalised and not augmented.  -> (N, 3, S, S), (N,).

    Raises
    ------
    ValueError
        If there are fewer, or fewer than two can be read.
    """
    if not 2 <= count <= len(images):
        raise ValueError(
            f"--images {count}: the {images.split} split of {images.name} has {len(images)}, "
            "and at least 2 are needed"
        )
    order = np.random.default_rng([_STREAM, seed]).permutation(len(images))
    chosen = np.sort(order[:count])
    pixels, readable = images.pixels(chosen)
    if readable.sum() < 2:
        raise ValueError(f"fewer than two of {count} images of {images.name} can be read")
    return (
        normalise(pixels[readable], images.mean, images.std),
        images.labels[chosen[readable]],
    )


def measure(
    models: dict[str, Classifier],
    images: Array,
    labels: Array,
    settings: Settings,
    runner: Runner,
    with_curvature: bool = True,
    kinds: Mapping[str, Plan] = KINDS,
) -> Surfaces:
    """Measure all surfaces of three models.  (N, 3, S, S), (N,) -> Surfaces.

    `kinds` are the roundings whose gaps are measured. Curvature takes a third of the work of a
    small model.
    """
    start, end = models["float"], models["ternary"]
    sample, seed = (images, labels), settings.seed
    steps = plane_steps(settings.grid)
    options: dict[str, Any] = {"seed": seed, "runner": runner}
    x = np.linspace(-0.5, 1.5, 2 * settings.grid - 1).round(12)
    surfaces = Surfaces(
        settings=settings,
        gaps=tuple(
            gaps(m, *sample, kinds=kinds, latent=kind, **options) for kind, m in models.items()
        ),
        same=plane(start, *sample, steps=steps, **options),
        trained=stacked(models, *sample, steps=steps, name="trained", **options),
        interpolation=interpolation(start, end, *sample, x, **options),
        far=_lines(models, sample, FAR, settings, runner),
        near=_lines(models, sample, NEAR, settings, runner),
        stairs=stairs(end, *sample, random_direction(end, seed), steps=STAIRS, **options),
        grids=_grids(models, sample, settings, runner),
        curvature=_curvatures(models, sample, seed, runner) if with_curvature else (),
        predictions=(),
    )
    if not with_curvature:
        return surfaces
    largest, names = surfaces.curvature[0].spectrum.largest, ternary_weights(start)
    predicted = predictions(start, *sample, largest, names=names, runner=runner)
    return surfaces._replace(predictions=predicted)


def plane_steps(grid: int) -> int:
    """Return the points along a side of a plane: half the grid's, and odd, so that it has a centre.

    >>> [plane_steps(grid) for grid in (5, 7, 9, 11, 21)]
    [3, 3, 5, 5, 11]
    """
    return 2 * (grid // 4) + 1


def total_passes(grid: int, with_curvature: bool = True, kinds: int = len(KINDS)) -> float:
    """Count the work of `measure` in forward passes over the sample."""
    line_points = 2 * grid - 1
    passes = 3 * (1 + kinds) + 6 * plane_steps(grid) ** 2 + 8 * line_points + STAIRS
    passes += 3 * grid**2 + 2 * line_points
    products = 3 * (STEPS + PROBES) + len(KINDS) if with_curvature else 0
    return passes + PASSES_PER_PRODUCT * products


def _perturbed(models: dict[str, Classifier]) -> dict[str, Classifier]:
    """Return the models that random directions perturb, by name of their curves."""
    ternary = models["ternary"]
    return {
        "float": models["float"],
        "8-bit": models["8-bit"],
        "ternary-latent": ternary,
        "ternary-effective": rounded(ternary),
    }


def _lines(
    models: dict[str, Classifier], sample: Sample, reach: float, settings: Settings, runner: Runner
) -> tuple[Curve, ...]:
    """Measure every model along a random direction, within ±reach."""
    x, curves = around_zero(reach, 2 * settings.grid - 1), []
    for name, model in _perturbed(models).items():
        direction, key = random_direction(model, settings.seed), f"line-{reach:g}-{name}"
        curve = line(model, *sample, direction, x, name=key, seed=settings.seed, runner=runner)
        curves.append(curve._replace(name=name))
    return tuple(curves)


def _grids(
    models: dict[str, Classifier], sample: Sample, settings: Settings, runner: Runner
) -> tuple[Grid2D, ...]:
    """Measure over two random directions, without 8 bit, whose lines are those of float."""
    x, grids = around_zero(FAR, settings.grid), []
    for name, model in _perturbed(models).items():
        if name != "8-bit":
            first, second = (random_direction(model, settings.seed + i) for i in (0, 1))
            grid = grid2d(model, *sample, (first, second), x, x, name=f"grid-{name}", runner=runner)
            grids.append(grid._replace(name=name))
    return tuple(grids)


def _curvatures(
    models: dict[str, Classifier], sample: Sample, seed: int, runner: Runner
) -> tuple[Curvature, ...]:
    """Measure every model's curvature at its quantized weights."""
    names = ternary_weights(models["float"])
    options: dict[str, Any] = {"steps": STEPS, "probes": PROBES, "names": names, "seed": seed}
    return tuple(
        curvature(model, *sample, name=name, runner=runner, **options)
        for name, model in models.items()
    )


def _kind(model: Classifier) -> str | None:
    """Return the kind of a model's weights; None for bits other than 8."""
    quants = [layer.weight_quant for _, layer in model.quantizable() if layer.weight is not None]
    if any(quant.is_ternary for quant in quants):
        return "ternary"
    if all(isinstance(quant, Identity) for quant in quants):
        return "float"
    return "8-bit" if all(quant.bits in (8, 32) for quant in quants) else None
