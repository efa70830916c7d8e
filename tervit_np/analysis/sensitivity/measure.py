"""How much each layer suffers from rounding, measured with one layer at a time.

    rise(l, k)  = L(layer l rounded by k, all others float)   - L(all float)
    relief(l)   = L(all ternary) - L(layer l in 8 bits, all others ternary)

for k in 8 bits, 4 bits, ternary; the inputs of rounded layers have 8 bits. Nothing is trained. The
errors are those of paired differences: both losses are of the same images.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tervit_np.analysis.sizes import costs, total
from tervit_np.analysis.surfaces import quantized
from tervit_np.analysis.surfaces.partial_results import fingerprint, pack, unpack
from tervit_np.analysis.surfaces.runner import (
    Runner,
    Task,
    check_sample,
    image_logits,
    losses_of,
)
from tervit_np.arrays import Array
from tervit_np.models import Classifier
from tervit_np.quant import Plan, Quantizer, Ternary, UniformAct, UniformWeight

KINDS: dict[str, Quantizer] = {
    "8 bits": UniformWeight(8),
    "4 bits": UniformWeight(4),
    "ternary": Ternary(),
}
RELIEF = "8 bits"  # what one layer has in `relief`


class Effect(NamedTuple):
    """What rounding does to the loss, and the accuracy with it."""

    change: float  # of the loss
    error: float  # standard error of the change
    accuracy: float  # fraction


class Layer(NamedTuple):
    """The sensitivity of one layer."""

    name: str
    weights: int
    bytes: dict[str, int]  # in a packed file, by kind, with scales
    rise: dict[str, Effect]  # by kind
    relief: Effect


class Sensitivity(NamedTuple):
    """The sensitivity of all layers of a model, in the order of the network."""

    loss: float  # float
    accuracy: float
    ternary: Effect  # all layers ternary
    layers: tuple[Layer, ...]
    other_bytes: int  # of everything else in a packed file


def layer_names(model: Classifier) -> list[str]:
    """Name the layers that have a weight."""
    return [name for name, layer in model.quantizable() if layer.weight is not None]


def mixed_plan(kinds: dict[str, Sequence[str]]) -> Plan:
    """Make a plan of the names of layers.  {kind: names} -> Plan."""
    return Plan(
        [
            ("|".join(map(re.escape, names)), KINDS[kind], UniformAct(8))
            for kind, names in kinds.items()
            if names
        ]
    )


def tasks_of(names: Sequence[str]) -> dict[str, Plan]:
    """List the plans to measure, by the name of their task."""
    plans = {"float": Plan([]), "all ternary": mixed_plan({"ternary": names})}
    for name in names:
        for kind in KINDS:
            plans[f"{kind}: {name}"] = mixed_plan({kind: [name]})
        rest = [other for other in names if other != name]
        plans[f"relief: {name}"] = mixed_plan({RELIEF: [name], "ternary": rest})
    return plans


def measure(
    model: Classifier, images: Array, labels: Array, runner: Runner | None = None
) -> Sensitivity:
    """Measure every layer.  (N, 3, S, S), (N,) -> Sensitivity.

    The model gives the latent weights; its own quantizers are not used.

    Raises
    ------
    ValueError
        If there are no images, or not one label for each, a class of the model.
    """
    check_sample(model, images, labels)
    runner = runner or Runner()
    names = layer_names(model)
    flat = quantized(model, "float")
    tasks = [
        Task(name, _answers, (quantized(model, plan), images, labels))
        for name, plan in tasks_of(names).items()
    ]
    results = runner.run("sensitivity", fingerprint([flat], [images, labels]), tasks, 1.0)
    losses = {name: unpack(text).astype(float) for name, (text, _) in results.items()}

    def effect(task: str, reference: str, sign: int = 1) -> Effect:
        change = sign * (losses[task] - losses[reference])
        return Effect(float(change.mean()), _standard_error(change), results[task][1])

    sizes = {kind: _bytes(flat, mixed_plan({kind: names})) for kind in KINDS}
    layers = [
        Layer(
            name,
            layer.weight.size,
            {kind: size[name] for kind, size in sizes.items()},
            {kind: effect(f"{kind}: {name}", "float") for kind in KINDS},
            effect(f"relief: {name}", "all ternary", -1),
        )
        for name, layer in model.quantizable()
        if layer.weight is not None
    ]
    return Sensitivity(
        float(losses["float"].mean()),
        results["float"][1],
        effect("all ternary", "float"),
        tuple(layers),
        round(total("all", costs(flat)).stored) - sum(4 * layer.weights for layer in layers),
    )


def answers_with(
    model: Classifier, plan: Plan, images: Array, labels: Array
) -> tuple[float, float]:
    """Return loss and accuracy of a model under a plan.  (N, 3, S, S), (N,) -> two numbers."""
    text, accuracy = _answers(quantized(model, plan), images, labels)
    return float(unpack(text).mean(dtype=float)), accuracy


def _answers(model: Classifier, images: Array, labels: Array) -> tuple[str, float]:
    """Classify all images.  -> losses (N,) as text for JSON, accuracy."""
    logits = image_logits(model, images)
    return pack(losses_of(logits, labels)), float((logits.argmax(axis=1) == labels).mean())


def _standard_error(values: Array) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _bytes(model: Classifier, plan: Plan) -> dict[str, int]:
    """Count the bytes that each layer takes in a packed file under a plan."""
    stored = {cost.name: cost.stored for cost in costs(quantized(model, plan))}
    return {name: round(stored[f"{name}.weight"]) for name in layer_names(model)}
