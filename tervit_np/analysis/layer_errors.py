"""What rounding one layer alone does: to its weights, and to its output on the inputs it has.

    weight   |w_hat - w| / |w|
    output   |y_hat - y| / |y|,  y = layer(x),  y_hat = quantized layer(x)

x are the inputs of the layer in the model without any rounding, so that no layer hides or adds to
the error of another. y_hat rounds weights and inputs, as the model's quantizers say. For weights
from a normal distribution three values leave a relative error of at least 0.436 (Max 1960).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tervit_np.analysis.surfaces.gaps import quantized
from tervit_np.arrays import Array
from tervit_np.models import Classifier

GAUSSIAN = 0.436  # sqrt(0.1902), the least error of three values for a normal distribution
_BATCH = 16


class LayerError(NamedTuple):
    """Relative errors of one layer."""

    layer: str
    weight: float
    output: float


def layer_errors(model: Classifier, images: Array) -> list[LayerError]:
    """Measure every layer with a weight.  (N, 3, S, S) -> in the order of the model.

    Raises
    ------
    ValueError
        If there are no images, which have no error, their shape is wrong, or the model is packed.
    """
    model.check_images(images)
    if len(images) == 0:
        raise ValueError("layer_errors: found 0 images, expected at least 1")
    floats = quantized(model, "float")
    rounded = {name: layer for name, layer in model.quantizable() if layer.weight is not None}
    sums = {name: np.zeros(2) for name in rounded}  # of |y_hat - y|^2 and |y|^2
    for name, layer in floats.quantizable():
        if name in rounded:
            layer.forward = _comparing(layer.forward, rounded[name], sums[name])
    for start in range(0, len(images), _BATCH):
        floats.forward(images[start : start + _BATCH], keep_cache=False)
    return [
        LayerError(name, _weight_error(layer), _relative(*sums[name]))
        for name, layer in rounded.items()
    ]


def _comparing(forward: Callable[..., Any], rounded: Any, sums: Array) -> Callable[..., Any]:
    """Wrap a forward so that it also adds to the sums of squares."""

    def wrapped(*args: Any) -> Any:
        y, cache = forward(*args)
        y_hat, _ = rounded.forward(*args)
        sums[:] += np.square(y_hat - y).sum(dtype=float), np.square(y).sum(dtype=float)
        return y, cache

    return wrapped


def _weight_error(layer: Any) -> float:
    w = layer.weight.data.astype(float)
    w_hat = layer.weight_quant.forward(layer.weight.data)[0]
    return _relative(float(np.square(w_hat - w).sum()), float(np.square(w).sum()))


def _relative(error: float, size: float) -> float:
    return float(np.sqrt(error / size)) if size > 0 else 0.0
