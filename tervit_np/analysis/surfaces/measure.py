"""Everything about the surfaces of one run: its float, its 8-bit and its ternary solution."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_tools import LabelledSet, normalise
from tervit_np.analysis.surfaces.affine_models import rounded
from tervit_np.analysis.surfaces.curvature import (
    PRODUCT,
    Curvature,
    curvature,
    predictions,
    ternary_weights,
)
from tervit_np.analysis.surfaces.directions import (
    Curve,
    Sheet,
    around_zero,
    line,
    random_direction,
    sheet,
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
from tervit_np.quant import Identity, Ternary
from tervit_np.train.folder import RunFolder

FAR, NEAR = 0.6, 0.05
STEPS, PROBES, STAIRS = 14, 6, 81
_STREAM = 0x1316


class RunModels(NamedTuple):
    """The models of a run by kind, and the stages that they are from."""

    models: dict[str, Classifier]  # float, 8-bit, ternary
    stages: dict[str, str]


def run_models(path: str | Path) -> RunModels:
    """Load the last finished float, 8-bit and ternary stage; round the float one if 8-bit lacks.

    Raises
    ------
    ValueError
        If there is no run, or no float or no ternary stage is finished.
    """
    folder = RunFolder(path)
    models: dict[str, Classifier] = {}
    stages: dict[str, str] = {}
    for stage in folder.read_run_config()["stages"]:
        if (file := folder.stage_file(stage["name"])).exists():
            model, _ = load_model(file)
            if (kind := _kind(model)) is not None:
                models[kind], stages[kind] = model, stage["name"]
    for kind in ("float", "ternary"):
        if kind not in models:
            raise ValueError(
                f"{folder.path}: no {kind} stage is finished; a surface needs a float and a "
                "ternary solution, such as `tervit train` leaves"
            )
    if "8-bit" not in models:
        models["8-bit"], stages["8-bit"] = quantized(models["float"], "int8"), "float, rounded"
    order = ("float", "8-bit", "ternary")
    return RunModels({k: models[k] for k in order}, {k: stages[k] for k in order})


def draw_sample(images: LabelledSet, count: int, seed: int) -> tuple[Array, Array]:
    """Draw fixed images, normalised and not augmented.  -> (N, 3, S, S), (N,).

    Raises
    ------
    ValueError
        If there are not so many, or none can be read.
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
        raise ValueError(f"none of {count} pictures of {images.name} can be read")
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
    bends: bool = True,
) -> Surfaces:
    """Measure all surfaces of three models.  (N, 3, S, S), (N,) -> Surfaces.

    Without `bends` curvature is left out, a third of the work of a small model.
    """
    start, end = models["float"], models["ternary"]
    this = _Work(models, (images, labels), settings.grid, settings.seed, runner)
    sample, often, half = this.sample, this.often, (this.grid + 1) // 2
    along = np.linspace(-0.5, 1.5, 2 * this.grid - 1).round(12)
    found = Surfaces(
        settings=settings,
        gaps=tuple(gaps(m, *sample, latent=k, **often) for k, m in models.items()),
        same=plane(start, *sample, steps=half, **often),
        trained=stacked(models, *sample, steps=half, name="trained", **often),
        interpolation=interpolation(start, end, *sample, along, **often),
        far=this.lines(FAR),
        near=this.lines(NEAR),
        stairs=stairs(end, *sample, random_direction(end, this.seed), steps=STAIRS, **often),
        sheets=this.sheets(FAR),
        curvature=this.bends() if bends else (),
        predictions=(),
    )
    if not bends:
        return found
    largest, names = found.curvature[0].spectrum.largest, ternary_weights(start)
    said = predictions(start, *sample, largest, names=names, runner=runner)
    return found._replace(predictions=said)


def total_work(grid: int, bends: bool = True) -> float:
    """Count the work of `measure` in forward passes over the sample."""
    half, along = (grid + 1) // 2, 2 * grid - 1
    passes = 3 * (1 + len(KINDS)) + 6 * half**2 + 8 * along + STAIRS + 3 * grid**2 + 2 * along
    return passes + (PRODUCT * (3 * (STEPS + PROBES) + len(KINDS)) if bends else 0)


@dataclass(frozen=True)
class _Work:
    """What the measurements of one run share."""

    models: dict[str, Classifier]
    sample: tuple[Array, Array]
    grid: int
    seed: int
    runner: Runner

    @property
    def often(self) -> dict[str, Any]:
        """Return the arguments of nearly all measurements."""
        return {"seed": self.seed, "runner": self.runner}

    @property
    def moving(self) -> dict[str, Classifier]:
        """Return what is moved along random directions."""
        end = self.models["ternary"]
        return {
            "float": self.models["float"],
            "8-bit": self.models["8-bit"],
            "ternary-latent": end,
            "ternary-effective": rounded(end),
        }

    def lines(self, reach: float) -> tuple[Curve, ...]:
        """Measure every model along its first direction."""
        x, curves = around_zero(reach, 2 * self.grid - 1), []
        for name, model in self.moving.items():
            way, key = random_direction(model, self.seed), f"line-{reach:g}-{name}"
            curve = line(model, *self.sample, way, x, name=key, **self.often)
            curves.append(curve._replace(name=name))
        return tuple(curves)

    def sheets(self, reach: float) -> tuple[Sheet, ...]:
        """Measure over two directions, all but 8 bit, which the lines show to be as float."""
        x, found = around_zero(reach, self.grid), []
        for name, model in self.moving.items():
            if name != "8-bit":
                ways = random_direction(model, self.seed), random_direction(model, self.seed + 1)
                key = f"sheet-{name}"
                each = sheet(model, *self.sample, ways, x, x, name=key, runner=self.runner)
                found.append(each._replace(name=name))
        return tuple(found)

    def bends(self) -> tuple[Curvature, ...]:
        """Measure every model's curvature at its quantized weights."""
        names = ternary_weights(self.models["float"])
        counts: dict[str, Any] = {"steps": STEPS, "probes": PROBES, "names": names, **self.often}
        return tuple(
            curvature(model, *self.sample, name=name, **counts)
            for name, model in self.models.items()
        )


def _kind(model: Classifier) -> str | None:
    """Tell what a model's weights are; None for other bits than 8."""
    quants = [layer.weight_quant for _, layer in model.quantizable() if layer.weight is not None]
    if any(isinstance(quant, Ternary) for quant in quants):
        return "ternary"
    if all(isinstance(quant, Identity) for quant in quants):
        return "float"
    return "8-bit" if all(quant.bits in (8, 32) for quant in quants) else None
