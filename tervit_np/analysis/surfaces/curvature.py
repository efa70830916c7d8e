"""What curvature predicts of the gap, beside the gap itself.

With eps = w_hat - w, gradient g and Hessian H at the float weights,

    gap = L(w + eps) - L(w) = g' eps + 1/2 eps' H eps + ...      second order
    gap <= 1/2 lambda_max |eps|^2                                the literature's estimate

The second drops the gradient (zero at a minimum, which a trained network only nears) and all higher
orders; it bounds the quadratic term, not the gap. All of it can be confined to some weights: a
stem can be twenty times as sharp as the blocks, and sets lambda_max although hardly a part of eps
lies in it, so `tervit surface` asks about the weights that become ternary. Activations are float,
and only the chosen weights are rounded, so the gap here differs a little from that of `gaps`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tervit_np.analysis.surfaces.affine_models import rounded, smooth
from tervit_np.analysis.surfaces.gaps import KINDS, quantized
from tervit_np.analysis.surfaces.hessian import LossHessian
from tervit_np.analysis.surfaces.lanczos import Spectrum, lanczos
from tervit_np.analysis.surfaces.runner import Runner
from tervit_np.analysis.surfaces.trace import Trace, trace
from tervit_np.arrays import Array
from tervit_np.models import Classifier
from tervit_np.quant import Plan, Ternary


class Curvature(NamedTuple):
    """The Hessian of one model's loss at its quantized weights."""

    name: str
    size: int  # weights
    spectrum: Spectrum
    trace: Trace


class Prediction(NamedTuple):
    """The gap of one kind of quantization and what is predicted of it."""

    name: str
    gap: float  # measured, float activations
    slope: float  # g' eps
    second: float  # g' eps + 1/2 eps' H eps
    bound: float  # 1/2 lambda_max |eps|^2
    eps_squared: float  # |eps|^2
    relative: float  # |eps|^2 / |w|^2


PRODUCT = 26.0  # work of a product in float32 forward passes over the sample, measured


def curvature(
    model: Classifier,
    images: Array,
    labels: Array,
    *,
    steps: int = 14,
    probes: int = 6,
    name: str = "float",
    names: list[str] | None = None,
    seed: int = 0,
    runner: Runner | None = None,
) -> Curvature:
    """Measure extreme eigenvalues and trace at a model's quantized weights.

    `names` are the weights that vary (default: all that a plan may quantize).
    (N, 3, S, S), (N,) -> Curvature, with `steps` + `probes` products.
    """
    runner = runner or Runner()
    smoothed = smooth(model)
    hessian = LossHessian(smoothed, images, labels, names=names, executor=runner.executor)
    key = f"curvature-{name}"
    product = _counted(hessian, runner, key)

    def ends() -> list[list[float]]:
        found = lanczos(product, hessian.size, steps=steps, seed=seed)
        return [found.values.tolist(), found.bounds.tolist()]

    def total() -> list[float]:
        return list(trace(product, hessian.size, probes=probes, seed=seed))

    worth = PRODUCT * steps, PRODUCT * probes
    values, bounds = _kept(runner, f"{key}-ends", hessian.mark(steps, seed), worth[0], ends)
    mean, error, count = _kept(runner, f"{key}-trace", hessian.mark(probes, seed), worth[1], total)
    spectrum = Spectrum(np.array(values), np.array(bounds))
    return Curvature(name, hessian.size, spectrum, Trace(mean, error, int(count)))


def predictions(
    model: Classifier,
    images: Array,
    labels: Array,
    largest: float,
    *,
    kinds: Mapping[str, Plan] = KINDS,
    names: list[str] | None = None,
    latent: str = "float",
    runner: Runner | None = None,
) -> tuple[Prediction, ...]:
    """Set the gap of each kind beside what curvature at the float weights predicts.

    `largest` is the top eigenvalue at the float weights, from `curvature` with the same `names`;
    only these weights are rounded (default: all that a plan may quantize).
    (N, 3, S, S), (N,) -> one Prediction for each kind.
    """
    runner = runner or Runner()
    flat = quantized(model, "float")
    hessian = LossHessian(smooth(flat), images, labels, names=names, executor=runner.executor)
    key = f"predictions-{latent}"
    product = _counted(hessian, runner, key)

    def predict() -> list[list[float]]:
        base, slope, w = hessian.loss(), hessian.gradient(), hessian.flat(_weights(flat))
        rows = []
        for plan in kinds.values():
            eps = hessian.flat(_weights(rounded(quantized(flat, plan)))) - w
            first, square = float(slope @ eps), float(eps @ eps)
            second = first + float(eps @ product(eps)) / 2
            gap, bound = hessian.loss(eps) - base, largest * square / 2
            rows.append([gap, first, second, bound, square, square / float(w @ w)])
        return rows

    mark = hessian.mark(repr(kinds), largest)
    rows = _kept(runner, key, mark, PRODUCT * len(kinds), predict)
    return tuple(Prediction(kind, *row) for kind, row in zip(kinds, rows, strict=True))


def ternary_weights(model: Classifier) -> list[str]:
    """Name the weights that the ternary plan gives three values."""
    layers = quantized(model, "ternary").quantizable()
    return [f"{name}.weight" for name, layer in layers if isinstance(layer.weight_quant, Ternary)]


def _weights(model: Classifier) -> dict[str, Array]:
    return {name: param.data for name, param in model.named_params()}


def _counted(hessian: LossHessian, runner: Runner, name: str) -> Callable[[Array], Array]:
    """Tell the runner of each product."""

    def product(v: Array) -> Array:
        result = hessian.product(v)
        runner.on_part(name, PRODUCT, True)
        return result

    return product


def _kept(runner: Runner, name: str, mark: str, worth: float, make: Callable[[], Any]) -> Any:
    """Return what was stored of an earlier attempt, or make and store it."""
    parts = runner.parts.load(name, mark)
    if "all" in parts:
        runner.on_part(name, worth, False)
        return parts["all"]
    made = make()
    runner.parts.save(name, mark, {"all": made})
    return made
