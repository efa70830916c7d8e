"""Predict the gap from curvature, and compare with the measured gap.

With eps = w_hat - w, gradient g and Hessian H at the float weights,

    gap = L(w + eps) - L(w) = g' eps + 1/2 eps' H eps + ...      second order
    gap <= 1/2 lambda_max |eps|^2                                the literature's estimate

The second formula, in BinaryBERT (Bai et al. 2021) without the 1/2, drops the gradient, which is
zero at a minimum but not at the end of a training, and all higher orders; it bounds the quadratic
term, not the gap. Both can be restricted to some weights: `tervit surface` restricts them to the
weights that become ternary, because a stem can be twenty times as sharp as the blocks and
determines lambda_max although hardly any of eps is in it. Activations are float, and only the
chosen weights are rounded, so the gap here differs a little from that of `gaps`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tervit_np.analysis.surfaces.affine_models import rounded, smooth
from tervit_np.analysis.surfaces.gaps import KINDS, quantized
from tervit_np.analysis.surfaces.hessian import LossHessian
from tervit_np.analysis.surfaces.lanczos import Spectrum, lanczos
from tervit_np.analysis.surfaces.partial_results import fingerprint
from tervit_np.analysis.surfaces.runner import Runner
from tervit_np.analysis.surfaces.trace import Trace, trace
from tervit_np.arrays import Array
from tervit_np.models import Classifier
from tervit_np.quant import Plan


class Curvature(NamedTuple):
    """The Hessian of one model's loss at its quantized weights."""

    name: str
    size: int  # weights
    spectrum: Spectrum
    trace: Trace


class Prediction(NamedTuple):
    """The gap of one kind of quantization, measured and predicted."""

    name: str
    gap: float  # measured, float activations
    slope: float  # g' eps
    second: float  # g' eps + 1/2 eps' H eps
    bound: float  # 1/2 lambda_max |eps|^2
    eps_squared: float  # |eps|^2
    relative: float  # |eps|^2 / |w|^2


PASSES_PER_PRODUCT = 26.0  # work of a Hessian product in float32 forward passes, measured


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
    """Measure the extreme eigenvalues and the trace at a model's quantized weights.

    `names` are the weights that vary (default: all that a plan may quantize).
    (N, 3, S, S), (N,) -> Curvature, with `steps` + `probes` products.
    """
    runner = runner or Runner()
    smoothed = smooth(model)
    hessian = LossHessian(smoothed, images, labels, names=names, executor=runner.executor)
    key = f"curvature-{name}"
    product = _reported(hessian, runner, key)

    def compute_spectrum() -> list[list[float]]:
        spectrum = lanczos(product, hessian.size, steps=steps, seed=seed)
        return [spectrum.values.tolist(), spectrum.bounds.tolist()]

    def compute_trace() -> list[float]:
        return list(trace(product, hessian.size, probes=probes, seed=seed))

    values, bounds = _stored_or_computed(
        runner, f"{key}-ends", hessian.fingerprint(steps, seed), steps, compute_spectrum
    )
    mean, error, count = _stored_or_computed(
        runner, f"{key}-trace", hessian.fingerprint(probes, seed), probes, compute_trace
    )
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
    """Measure the gap of each kind, and predict it from curvature at the float weights.

    `largest` is the largest eigenvalue there, from `curvature` with the same `names`; only these
    weights are rounded (default: all that a plan may quantize).
    (N, 3, S, S), (N,) -> one Prediction for each kind.
    """
    runner = runner or Runner()
    flat = quantized(model, "float")
    hessian = LossHessian(smooth(flat), images, labels, names=names, executor=runner.executor)
    key = f"predictions-{latent}"
    product = _reported(hessian, runner, key)

    def compute() -> list[list[float]]:
        base, slope, w = hessian.loss(), hessian.gradient(), hessian.flat(_weights(flat))
        rows = []
        for plan in kinds.values():
            eps = hessian.flat(_weights(rounded(quantized(flat, plan)))) - w
            first, square = float(slope @ eps), float(eps @ eps)
            second = first + float(eps @ product(eps)) / 2
            gap, bound = hessian.loss(eps) - base, largest * square / 2
            rows.append([gap, first, second, bound, square, square / float(w @ w)])
        return rows

    plans = fingerprint([quantized(flat, plan) for plan in kinds.values()], [])
    facts = hessian.fingerprint(plans, largest)
    rows = _stored_or_computed(runner, key, facts, len(kinds), compute)
    return tuple(Prediction(kind, *row) for kind, row in zip(kinds, rows, strict=True))


def ternary_weights(model: Classifier) -> list[str]:
    """Name the weights that the ternary plan makes ternary."""
    layers = quantized(model, "ternary").quantizable()
    return [f"{name}.weight" for name, layer in layers if layer.weight_quant.is_ternary]


def _weights(model: Classifier) -> dict[str, Array]:
    return {name: param.data for name, param in model.named_params()}


def _reported(hessian: LossHessian, runner: Runner, name: str) -> Callable[[Array], Array]:
    """Return the product with a report to the runner."""

    def product(v: Array) -> Array:
        result = hessian.product(v)
        runner.on_result(name, PASSES_PER_PRODUCT, True)
        return result

    return product


def _stored_or_computed(
    runner: Runner, name: str, fingerprint: str, products: int, compute: Callable[[], Any]
) -> Any:
    """Return the stored result of an earlier run, or compute and store it."""
    stored = runner.partial_results.load(name, fingerprint)
    if "all" in stored:
        runner.on_result(name, PASSES_PER_PRODUCT * products, False)
        return stored["all"]
    result = compute()
    runner.partial_results.save(name, fingerprint, {"all": result})
    return result
