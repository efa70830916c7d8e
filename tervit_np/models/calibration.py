"""Calibrate a model: give each static quantizer its scale, found on pictures.

The pictures run through the model once, with quantized weights and with inputs as they are: in
place of each static quantizer an observer passes them on, and keeps some of their magnitudes. From
these a rule finds the scale (quant/calibration.py).
"""

import copy
from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.models.classifier import Classifier, require_model
from tervit_np.quant import (
    PACT,
    Identity,
    LSQAct,
    LSQPlusAct,
    StaticAct,
    find_scale,
    static_twin,
)
from tervit_np.quant.calibration import PERCENT, check_rule

MAX_VALUES = 2**17  # that are kept of one layer's inputs
BATCH = 64


class CalibratedInput(NamedTuple):
    """What calibration found for the inputs of one layer."""

    scale: float
    largest: float  # magnitude that was seen
    end: float  # of the grid, Q s
    clipped: float  # fraction of the values beyond the end


class Observer(Identity):
    """Pass inputs on unchanged; keep `count` magnitudes of each call, or all if there are fewer.

    They are drawn at random, except for the largest, which is always kept.
    """

    def __init__(self) -> None:
        self.count = 0
        self._rng = np.random.default_rng(0)
        self._kept: list[Array] = []

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, None]:
        """Return x.  (...) -> (...)."""
        magnitudes = np.abs(w).reshape(-1)
        if magnitudes.size > self.count:
            drawn = magnitudes[self._rng.integers(magnitudes.size, size=self.count)]
            magnitudes = np.append(drawn, magnitudes.max())
        self._kept.append(magnitudes)
        return w, None

    def values(self) -> Array:
        """Return all that was kept.  -> (N,)."""
        return np.concatenate(self._kept)


def make_inputs_static(model: Classifier) -> Classifier:
    """Give layers with symmetric inputs static ones of the same bits, in place; return the model.

    The products of attention stay as they are: one scale does not fit q, k, v and probabilities.

    Raises
    ------
    ValueError
        If the model is packed.
    """
    model.require_latent_weights()
    for _, layer in model.quantizable():
        if layer.weight is not None:
            layer.act_quant = static_twin(layer.act_quant)
    return model


def with_fixed_inputs(model: Classifier) -> Classifier:
    """Copy a model with the learned scales of its inputs as static ones; weights are shared.

    Raises
    ------
    ValueError
        If such a scale has not been calibrated, or inputs have an offset, or learn by a rule of
        another origin.
    """
    copied = copy.deepcopy(model, {id(p): p for _, p in model.named_params()})
    for name, layer in copied.quantizable():
        act = layer.act_quant
        if type(act) in (LSQAct, PACT) and act.params():
            layer.act_quant = StaticAct(act.bits, act.require_scale())
        elif isinstance(act, LSQPlusAct) or act.params():
            is_offset = isinstance(act, LSQPlusAct)
            learned = "a learned offset" if is_offset else f"learned {', '.join(act.params())}"
            raise ValueError(
                f"{name} has inputs {act!r} with {learned}, which have no packed form: a packed "
                "layer takes multiples of a scale, as those of LSQ are"
            )
    return copied


def calibrate(
    model: Classifier,
    images: Array,
    rule: str = "least-squares",
    percent: float = PERCENT,
    *,
    recalibrate: bool = True,
) -> dict[str, CalibratedInput]:
    """Set the scales of static quantizers in place.  (N, 3, S, S) -> what was found, by layer.

    `images` are normalised, of the training split. `rule` is "min-max", "percentile" (of `percent`)
    or "least-squares", the default (ours: docs/calibration.md). With `recalibrate` off, scales that
    are set already stay. On an error no scale changes.

    Raises
    ------
    ValueError
        If the model is packed or has no static quantizer, there are no images or their shape is
        wrong, the rule is unknown, or the inputs of a layer have no scale: all are 0, or one is not
        finite.
    """
    require_model(model)
    model.require_latent_weights()
    model.check_images(images)
    check_rule(rule, percent)
    layers = _static_layers(model, recalibrate)
    if not layers and not recalibrate:
        return {}
    if not layers:
        raise ValueError("calibrate: no layer has static inputs; choose a plan such as int8-static")
    if len(images) == 0:
        raise ValueError("calibrate: there are no images")
    found = {}
    for name, values in _observe(model, layers, images).items():
        bits = layers[name].act_quant.bits
        try:
            quantizer = StaticAct(bits, find_scale(values, bits, rule, percent))
        except ValueError as error:
            raise ValueError(f"calibrate: the inputs of {name}: {error}") from None
        found[name] = quantizer, float(values.max()), float((values > quantizer.clip).mean())
    for name, (quantizer, _, _) in found.items():
        layers[name].act_quant = layers[name].act_quant.with_scale(quantizer.require_scale())
    return {
        name: CalibratedInput(quantizer.require_scale(), largest, quantizer.clip, clipped)
        for name, (quantizer, largest, clipped) in found.items()
    }


def assume_scales(model: Classifier) -> None:
    """Give static inputs that have no scale yet the scale 1, in place, to try shapes alone.

    Raises
    ------
    ValueError
        If the layer is one that `calibrate` refuses.
    """
    for layer in _static_layers(model, recalibrate=False).values():
        layer.act_quant = layer.act_quant.with_scale(1.0)


def _static_layers(model: Classifier, recalibrate: bool) -> dict[str, Any]:
    """Return the layers with static inputs by name; without `recalibrate`, those without a scale.

    Raises
    ------
    ValueError
        If one of them is the products of attention.
    """
    layers = {n: m for n, m in model.quantizable() if isinstance(m.act_quant, StaticAct)}
    if not recalibrate:
        layers = {n: m for n, m in layers.items() if m.act_quant.scale is None}
    if products := [name for name, layer in layers.items() if layer.weight is None]:
        raise ValueError(
            f"calibrate: {products[0]}: q, k, v and the probabilities share a quantizer, and one "
            "scale cannot fit them all; make its inputs dynamic in the plan, such as int8"
        )
    return layers


def _observe(model: Classifier, layers: dict[str, Any], images: Array) -> dict[str, Array]:
    """Run the pictures through the model.  -> magnitudes of each layer's inputs (N,)."""
    static = {name: layer.act_quant for name, layer in layers.items()}
    observers = {name: Observer() for name in layers}
    try:
        for name, layer in layers.items():
            layer.act_quant = observers[name]
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            for observer in observers.values():
                observer.count = -(-MAX_VALUES * len(batch) // len(images))
            model.predict(batch, BATCH)
    finally:
        for name, layer in layers.items():
            layer.act_quant = static[name]
    return {name: observer.values() for name, observer in observers.items()}
