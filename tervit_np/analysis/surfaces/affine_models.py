"""Models along straight lines through weight space: w(x) = w + x_1 d_1 + x_2 d_2 + ...

Every surface here is a function of such a point x: a plane, a random direction, the way from one
solution to another. Quantizers stay in the model, so w(x) is a latent weight that is rounded at
each point; for "quantized weights perturbed" the rounding is done first and once (`rounded`).

Rounding the weights again in each batch costs 2 to 4 % of a forward pass, so nothing is cached.
"""

import copy
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np

from tervit_np.arrays import Array
from tervit_np.models import Classifier, build
from tervit_np.param import Param
from tervit_np.quant import IDENTITY

Direction: TypeAlias = Mapping[str, Array]  # parameter name -> array of its shape
Point: TypeAlias = tuple[float, ...]  # one number for each direction


class Family(NamedTuple):
    """All models w + sum of x_i d_i, quantized as `model` is."""

    model: Classifier  # at the origin
    directions: tuple[Direction, ...] = ()

    def at(self, point: Point) -> Classifier:
        """Build the model at a point; whatever does not move shares the origin's memory."""
        weights = {name: p.data for name, p in self.model.named_params()}
        moved: dict[str, Array] = {}
        for x, direction in zip(point, self.directions, strict=True):
            for name, d in direction.items():
                moved[name] = moved.get(name, weights[name]) + x * d
        return with_weights(self.model, moved)


def with_weights(model: Classifier, weights: Mapping[str, Array]) -> Classifier:
    """Copy a model with some weights replaced; the others are shared, gradients are its own."""
    params = model.named_params()
    return copy.deepcopy(model, {id(p): Param(weights.get(name, p.data)) for name, p in params})


def rounded(model: Classifier) -> Classifier:
    """Copy a model with w_hat in the place of w and no weight quantizers: the same logits.

    Activations are still rounded as before.
    """
    w_hat = {
        f"{name}.weight": layer.weight_quant.forward(layer.weight.data)[0]
        for name, layer in model.quantizable()
        if layer.weight is not None
    }
    fixed = with_weights(model, w_hat)
    for _, layer in fixed.quantizable():
        layer.weight_quant = IDENTITY
    return fixed


def smooth(model: Classifier) -> Classifier:
    """Copy a model in float64 with w_hat in the place of w and float activations.

    Its loss has derivatives. Rounded activations make the loss piecewise constant, and the
    straight-through gradient is not its derivative.
    """
    wide = build(model.config, None, "float64")
    wide.load_state_dict(rounded(model).state_dict())
    return wide


def matrices(model: Classifier) -> list[str]:
    """Name the weights that a plan may quantize."""
    return [f"{name}.weight" for name, layer in model.quantizable() if layer.weight is not None]


def difference(start: Classifier, end: Classifier) -> Direction:
    """Subtract all parameters of one model from another's of the same shape.

    Raises
    ------
    ValueError
        If the models differ in a parameter's name or shape.
    """
    a = {name: p.data for name, p in start.named_params()}
    b = {name: p.data for name, p in end.named_params()}
    if {n: w.shape for n, w in a.items()} != {n: w.shape for n, w in b.items()}:
        raise ValueError("the two models differ in their parameters; no line joins them")
    return {name: np.subtract(b[name], a[name]) for name in a}
