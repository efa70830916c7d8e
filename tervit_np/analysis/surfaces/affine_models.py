"""Models along straight lines in weight space: w(x) = w + x_1 d_1 + x_2 d_2 + ...

Every surface here is a function of such a point x: a plane, a random direction, the line from one
solution to another. The models keep their quantizers, so w(x) is a latent weight that is rounded
anew at each point. `rounded` rounds first, so that a direction moves the quantized weights.

Rounding the weights again in each batch costs 2 to 4 % of a forward pass, so nothing is cached.
"""

import copy
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np

from tervit_np.arrays import Array
from tervit_np.models import Classifier
from tervit_np.nn.quantized_layer import effective_bias
from tervit_np.param import Param
from tervit_np.quant import IDENTITY

Direction: TypeAlias = Mapping[str, Array]  # parameter name -> array of its shape
Point: TypeAlias = tuple[float, ...]  # one number for each direction


class AffineModels(NamedTuple):
    """All models w + sum of x_i d_i, quantized as `model` is."""

    model: Classifier  # at the origin
    directions: tuple[Direction, ...] = ()

    def at(self, point: Point) -> Classifier:
        """Build the model at a point; parameters in no direction share the origin's memory."""
        weights = {name: p.data for name, p in self.model.named_params()}
        shifted: dict[str, Array] = {}
        for x, direction in zip(point, self.directions, strict=True):
            for name, d in direction.items():
                shifted[name] = shifted.get(name, weights[name]) + x * d
        return with_weights(self.model, shifted)


def with_weights(model: Classifier, weights: Mapping[str, Array]) -> Classifier:
    """Copy a model with some weights replaced, cast to its dtype; it shares all others.

    Gradients are its own.
    """
    replaced = {
        id(p): Param(np.asarray(weights.get(name, p.data), p.data.dtype))
        for name, p in model.named_params()
    }
    return copy.deepcopy(model, replaced)


def rounded(model: Classifier) -> Classifier:
    """Copy a model with w_hat in place of w and no weight quantizers: the same logits.

    Activations are still rounded.
    """
    weights = {}
    for name, layer in model.quantizable():
        if layer.weight is not None:
            weights[f"{name}.weight"] = layer.weight_quant.forward(layer.weight.data)[0]
            if (bias := effective_bias(layer)) is not None:
                weights[f"{name}.bias"] = bias
    weights |= {f"{name}.weight": norm.gamma_hat() for name, norm in model.norms()}
    copied = with_weights(model, weights)
    for _, layer in copied.quantizable():
        layer.weight_quant = IDENTITY
    for _, norm in copied.norms():
        norm.gamma_quant = IDENTITY
    return copied


def smooth(model: Classifier) -> Classifier:
    """Copy a model in float64 with w_hat in place of w and float activations.

    Its loss has derivatives. Rounded activations make the loss piecewise constant, and the
    straight-through gradient is not its derivative. What a user has put around a forward or
    backward is left out, since it would call the model itself.
    """
    fixed = rounded(model)
    params = {id(p): Param(p.data.astype(np.float64)) for _, p in fixed.official_params()}
    copied = copy.deepcopy(fixed, params)
    copied.dtype = np.dtype(np.float64)
    for _, layer in copied.quantizable():
        layer.act_quant = IDENTITY
    for _, module in copied.named_modules():
        for method in ("forward", "backward"):
            vars(module).pop(method, None)
    return copied


def quantizable_weights(model: Classifier) -> list[str]:
    """Name the weights that a plan may quantize."""
    return [f"{name}.weight" for name, layer in model.quantizable() if layer.weight is not None]


def difference(start: Classifier, end: Classifier) -> Direction:
    """Return the direction from the parameters of one model to those of another.

    Learned scales of quantizers are in it where both models have them.

    Raises
    ------
    ValueError
        If the models differ in the name or shape of a parameter.
    """
    a, b = (dict(model.official_params()) for model in (start, end))
    if {n: w.shape for n, w in a.items()} != {n: w.shape for n, w in b.items()}:
        raise ValueError(
            "the two models differ in their parameters; a line needs two models of one architecture"
        )
    learned = dict(start.quantizer_params()), dict(end.quantizer_params())
    a, b = a | learned[0], b | learned[1]
    return {name: np.subtract(b[name].data, a[name].data) for name in a if name in b}
