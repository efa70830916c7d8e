"""The scales of static inputs in a stage: found at its start, restored in a resumed run."""

import numpy as np

from data_tools import LabelledSet, normalise
from data_tools.counted import counted
from tervit_np.arrays import Array
from tervit_np.models import Classifier, calibrate, plan_of
from tervit_np.quant import Plan, StaticAct
from tervit_np.train.checkpoint import Saved

PICTURES = 256
# First word of the seeds; data_tools/workers.py has 3 too, but with six words: other streams.
_CALIBRATION = 3
_PREFIX = "static_scale."


def calibration_images(train: LabelledSet, count: int, *seeds: int) -> Array:
    """Draw pictures of a training split, without augmentation.  -> normalised (N, 3, S, S).

    Raises
    ------
    ValueError
        If `count` is below 1, or no picture that was drawn can be read.
    """
    if count < 1:
        raise ValueError(f"calibration needs at least one picture, and the number is {count}")
    order = np.random.default_rng([_CALIBRATION, *seeds]).permutation(len(train))[:count]
    pixels, readable = train.pixels(np.sort(order))
    if not readable.any():
        raise ValueError(f"none of {counted(len(order), 'picture')} of {train.name} can be read")
    return normalise(pixels[readable], train.mean, train.std)


def set_static_scales(
    model: Classifier, train: LabelledSet, seed: int, stage: int, saved: Saved | None
) -> None:
    """Calibrate at the start of a stage, or restore the scales of one that was interrupted.

    Scales that the plan gives as numbers stay.

    Raises
    ------
    ValueError
        If a layer's inputs have no scale, or the saved state lacks one.
    """
    layers = dict(model.quantizable())
    if saved is None or saved.position["step"] == 0:
        if any(isinstance(layer.act_quant, StaticAct) for layer in layers.values()):
            images = calibration_images(train, PICTURES, seed, stage)
            calibrate(model, images, recalibrate=False)
        return
    for name, quantizer in _static_layers(model).items():
        if (array := saved.arrays.get(f"{_PREFIX}{name}")) is None or array.size != 1:
            raise ValueError(f"the checkpoint lacks the static scale of {name}: it is damaged")
        layers[name].act_quant = quantizer.with_scale(array.item())


def scale_arrays(model: Classifier) -> dict[str, Array]:
    """Return the static scales for the checkpoint of a run."""
    layers = _static_layers(model)
    return {f"{_PREFIX}{n}": np.array(q.require_scale()) for n, q in layers.items()}


def plan_to_store(model: Classifier, plan: Plan) -> Plan:
    """Return the plan of a stage; with static inputs that of the model, which has their scales."""
    return plan_of(model) if _static_layers(model) else plan


def _static_layers(model: Classifier) -> dict[str, StaticAct]:
    """Return the layers with static inputs; a learned scale is a parameter, kept as the others."""
    layers = ((name, layer.act_quant) for name, layer in model.quantizable())
    static = {name: act for name, act in layers if isinstance(act, StaticAct)}
    return {name: act for name, act in static.items() if not act.params()}
