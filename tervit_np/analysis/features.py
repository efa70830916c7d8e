"""The features of one layer on one picture, with float weights and inputs, and quantized."""

from typing import NamedTuple

import numpy as np

from tervit_np.analysis.surfaces.affine_models import with_weights
from tervit_np.analysis.surfaces.gaps import quantized
from tervit_np.arrays import Array
from tervit_np.models import Classifier


class Features(NamedTuple):
    """Outputs of a layer, one map for each channel."""

    layer: str
    before: Array  # (channels, side, side), without rounding
    after: Array  # (channels, side, side), as the layer's quantizers say

    @property
    def error(self) -> float:
        """The relative error |after - before| / |before|."""
        size = float(np.linalg.norm(self.before))
        return float(np.linalg.norm(self.after - self.before)) / size if size > 0 else 0.0


def layer_features(model: Classifier, image: Array) -> Features:
    """Run a picture through the model and keep the first MLP layer of its middle block.

    (3, S, S) -> features.  Both forms see the input that the layer has in this model.
    """
    name = middle_layer(model)
    seen: list[Array] = []
    copied = with_weights(model, {})
    layer = dict(copied.quantizable())[name]
    forward = layer.forward

    def remembering(x: Array) -> tuple[Array, object]:
        seen.append(x)
        y, cache = forward(x)
        return y, cache

    layer.forward = remembering
    copied.forward(image[None], keep_cache=False)
    before = dict(quantized(model, "float").quantizable())[name].forward(seen[0])[0]
    after = forward(seen[0])[0]
    return Features(name, *(_as_maps(y[0], model) for y in (before, after)))


def middle_layer(model: Classifier) -> str:
    """Name the first MLP layer of the block in the middle."""
    names = [name for name, _ in model.quantizable() if name.endswith("mlp.fc1")]
    return names[len(names) // 2]


def _as_maps(y: Array, model: Classifier) -> Array:
    """Arrange tokens as the picture's grid.  (T, C) or (H, W, C) -> (C, side, side)."""
    if y.ndim == 2:
        y = y[getattr(model.config, "extra_tokens", 0) :]
        side = round(len(y) ** 0.5)
        y = y.reshape(side, side, -1)
    maps: Array = y.transpose(2, 0, 1)
    return maps
