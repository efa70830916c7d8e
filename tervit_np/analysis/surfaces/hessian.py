"""Products of the loss's Hessian with vectors, without ever forming it.

    H v = (g(w + h v/|v|) - g(w - h v/|v|)) |v| / 2h        g = dL/dw by the backward pass

w are weights that a plan may quantize, at their quantized values and in float64, with float
activations: rounded activations make the loss piecewise constant, and the straight-through gradient
is not its derivative (see `smooth`).

The error falls with h^2; on a trained model it is 7e-5 of the result at h = 1e-3 and 1e-8 at
h = 1e-5, above roundoff.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tervit_np.analysis.surfaces.affine_models import quantizable_weights, with_weights
from tervit_np.analysis.surfaces.partial_results import fingerprint
from tervit_np.analysis.surfaces.runner import check_sample
from tervit_np.arrays import Array
from tervit_np.blas import one_thread
from tervit_np.losses import cross_entropy
from tervit_np.models import Classifier

H = 1e-5  # length of a step, in units of weights
CHUNK = 32  # images of a task: small enough for the CPU caches, and fixed for equal sums


class LossHessian:
    """The mean loss of a smooth float64 model as a function of one long vector of weights.

    `model` is what `smooth` returns. `names` are the weights that vary (default: all that a plan
    may quantize). `executor` runs the chunks of images; by default the caller's thread does.

    Raises
    ------
    ValueError
        If the model is not in float64, a name is unknown, or images and labels do not fit.
    """

    def __init__(
        self,
        model: Classifier,
        images: Array,
        labels: Array,
        *,
        names: list[str] | None = None,
        executor: Any = None,
    ) -> None:
        check_sample(model, images, labels)
        if model.dtype != np.float64:
            raise ValueError(f"hessian: the model is {model.dtype}, expected float64 (see smooth)")
        self.model, self.images, self.labels = model, images, labels
        self.names = quantizable_weights(model) if names is None else names
        known = dict(model.named_params())
        if unknown := [name for name in self.names if name not in known]:
            raise ValueError(f"hessian: the model has no parameter {unknown[0]!r}")
        self.shapes = [known[name].shape for name in self.names]
        self.size = sum(known[name].size for name in self.names)
        self._map = map if executor is None else executor.map

    def fingerprint(self, *facts: Any) -> str:
        """Hash all inputs of products, and further facts."""
        return fingerprint([self.model], [self.images, self.labels], self.names, H, *facts)

    def flat(self, weights: dict[str, Array]) -> Array:
        """Concatenate arrays by name into one vector.  -> (size,)."""
        return np.concatenate([np.asarray(weights[n], np.float64).ravel() for n in self.names])

    def loss(self, shift: Array | None = None) -> float:
        """Return the mean loss at w + shift."""
        return float(sum(value for value, _ in self._chunks([(shift, 1.0)], False)))

    def gradient(self, shift: Array | None = None) -> Array:
        """Return the gradient of the mean loss at w + shift.  -> (size,)."""
        return _total(self._chunks([(shift, 1.0)], True))

    def product(self, v: Array) -> Array:
        """Multiply by the Hessian.  (size,) -> (size,)."""
        length = float(np.linalg.norm(v))
        if length == 0:
            return np.zeros_like(v)
        step = v * (H / length)
        weight = length / (2 * H)
        return _total(self._chunks([(step, weight), (-step, -weight)], True))

    def _chunks(self, shifts: list[tuple[Array | None, float]], gradient: bool) -> Iterator[Any]:
        """Yield losses and gradients of all chunks of images at all weighted shifts, in order.

        A gradient is as long as the model: the caller adds each one up before it takes the next.
        """
        starts = range(0, len(self.labels), CHUNK)
        tasks = [(shift, weight, i) for i in starts for shift, weight in shifts]
        models = {id(shift): self._at(shift) for shift, _ in shifts}
        with one_thread():
            yield from self._map(
                _chunk,
                [models[id(shift)] for shift, _, _ in tasks],
                [self.names if gradient else None] * len(tasks),
                [self.images[i : i + CHUNK] for _, _, i in tasks],
                [self.labels[i : i + CHUNK] for _, _, i in tasks],
                [weight / len(self.labels) for _, weight, _ in tasks],
            )

    def _at(self, shift: Array | None) -> Classifier:
        """Build the model at w + shift."""
        if shift is None:
            return self.model
        weights, params, start = {}, dict(self.model.named_params()), 0
        for name, shape in zip(self.names, self.shapes, strict=True):
            stop = start + params[name].size
            weights[name] = params[name].data + shift[start:stop].reshape(shape)
            start = stop
        return with_weights(self.model, weights)


def _chunk(
    model: Classifier, names: list[str] | None, images: Array, labels: Array, image_weight: float
) -> tuple[float, Array | None]:
    """Return the weighted sum over a chunk of the loss and, with names, of its gradient."""
    own = with_weights(model, {})  # with its own gradients
    logits, cache = own.forward(images, keep_cache=names is not None)
    heads = logits if isinstance(logits, tuple) else (logits,)
    loss, dlogits = cross_entropy(np.mean(heads, axis=0), labels)
    weight = image_weight * len(labels)
    if names is None:
        return loss * weight, None
    upstream = tuple(dlogits * (weight / len(heads)) for _ in heads)
    own.backward(upstream if isinstance(logits, tuple) else upstream[0], cache, input_grad=False)
    grads = {name: p.grad for name, p in own.named_params()}
    return loss * weight, np.concatenate([grads[name].ravel() for name in names])


def _total(chunks: Iterator[Any]) -> Array:
    """Add the gradients up in order."""
    _, total = next(chunks)
    for _, part in chunks:
        total += part
    return np.asarray(total)
