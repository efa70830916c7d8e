"""Frozen residual: check that a quantizer's backward is the derivative that it declares.

The true derivative of rounding is zero, so differences of `forward` prove nothing. `frozen` is the
forward map with the rounding residual fixed at its value for w0: smooth, equal to `forward` at w0,
and by definition of the convention its derivative is `backward`. The check cannot show whether the
convention is a good one; only training shows that.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.models import Classifier
from tervit_np.param import Param
from tervit_np.quant import (
    LAT,
    LSQ,
    PACT,
    QEMA,
    SEQ,
    TTQ,
    Blend,
    Dampened,
    DoReFa,
    Freezing,
    Hadamard,
    HadamardAct,
    Identity,
    LSQAct,
    LSQPlusAct,
    Quantizer,
    Quest,
    QuestAct,
    Sherry,
    StaticAct,
    Tequila,
    Ternary,
    TernaryGamma,
    UniformAct,
    UniformWeight,
)
from tervit_np.quant.protocol import QuantizedTensor
from tervit_np.verify.golden import ValueCheck
from tervit_np.verify.gradcheck import GradientCheck, numerical_gradient

QUANTIZERS: tuple[Quantizer, ...] = (
    Identity(),
    Ternary(),
    Ternary(clip=0.9),
    Ternary("tensor", "absmean", "mean"),
    Ternary("channel", "exact"),
    Ternary("channel", 0.4, clip=1.2),
    Ternary("group4"),
    Quest(),
    Hadamard("channel", 4),
    Sherry(),
    SEQ(),
    SEQ(4, "tensor"),
    SEQ(3, "group4"),
    LSQ(),
    LSQ(4, "tensor", "deviation"),
    TTQ(),
    TTQ("group4"),
    LAT(),
    QEMA("group4"),
    Dampened(),
    Freezing("tensor"),
    Tequila(strength=0.5),
    TernaryGamma(),
    DoReFa(2),
    DoReFa(4, "channel", "one"),
    UniformWeight(8),
    UniformWeight(4, "tensor"),
    UniformWeight(4, "group4"),
    UniformAct(8),
    UniformAct(8, "minmax"),
    UniformAct(6, "symmetric", "tensor"),
    StaticAct(8, 0.01),
    StaticAct(3, 0.4),
    QuestAct(2),
    QuestAct(5),
    HadamardAct(2, 8),
    LSQAct(4),
    LSQPlusAct(4),
    PACT(4),
    Blend(Ternary(clip=0.9), 0.3),
    Blend(LSQ(), 0.3),
)


def prepared(quantizer: Quantizer, w: Array) -> Quantizer:
    """Copy a quantizer, prepared for w; what it learned and remembers differs from the start."""
    own = copy.deepcopy(quantizer)
    own.prepare(w)
    if isinstance(own, LSQAct):
        own.with_scale(0.2)  # where calibration would put it
    for param in own.params().values():
        param.data *= 0.6
    if isinstance(own, LSQPlusAct):
        own.params()["offset"].data += 0.1
    for buffer in own.buffers().values():  # as if steps had been taken
        buffer += np.abs(w[::-1]) / 2
    return own


def frozen_checks(rng: np.random.Generator) -> Iterator[tuple[GradientCheck, ValueCheck]]:
    """Yield two checks for each quantizer: of the gradient of `frozen`, and of its value at w0.

    Each number that a quantizer learns has a gradient, too. No weight is near the clip, where the
    derivative jumps. The quantizer gets copies of w and dy, because this checks values alone.
    """
    for rule in QUANTIZERS:
        w = rng.normal(size=(3, 8))
        quantizer = prepared(rule, w)
        clip = getattr(getattr(quantizer, "inner", quantizer), "clip", None)
        if clip is not None:
            near = np.abs(np.abs(w) - clip) < 0.01
            w[near] += 0.1
        w_hat, cache = quantizer.forward(w.copy(), keep_residual=True)
        dy = rng.normal(size=w.shape)
        analytic = quantizer.backward(dy.copy(), cache)
        value = ValueCheck(f"{quantizer!r} at w0", quantizer.frozen(w, cache), w_hat)

        def smooth(z: Array, q: Quantizer = quantizer, c: Any = cache) -> Array:
            return q.frozen(z.copy(), c)

        numeric = numerical_gradient(smooth, w, dy)
        yield GradientCheck(f"{quantizer!r} dw", analytic, numeric), value
        for name, param in quantizer.params().items():
            numeric = _gradient_of_param(smooth, w, param, dy)
            yield GradientCheck(f"{quantizer!r} d{name}", param.grad.copy(), numeric), value
        if (bias := quantizer.bias(w, cache)) is not None:
            yield _bias_check(quantizer, w, cache, rng.normal(size=bias.shape)), value


def _bias_check(quantizer: Quantizer, w: Array, cache: Any, db: Array) -> GradientCheck:
    """Check the gradient that what a quantizer adds to the bias of a layer has by the weight."""

    def smooth(z: Array) -> Array:
        return np.asarray(quantizer.bias(z, cache))

    analytic = np.asarray(quantizer.bias_backward(db, cache))
    numeric = numerical_gradient(smooth, w, db)
    return GradientCheck(f"{quantizer!r} dw by its bias", analytic, numeric)


def _gradient_of_param(f: Callable[[Array], Array], w: Array, param: Param, dy: Array) -> Array:
    """Differentiate sum(dy f(w)) by each number of a parameter that f reads.  -> like the data."""
    original = param.data.copy()

    def at(z: Array) -> Array:
        param.data[...] = z
        return f(w)

    gradient = numerical_gradient(at, original, dy)
    param.data[...] = original
    return gradient


class FrozenResidual(Quantizer):
    """A quantizer with the rounding residuals of its first calls: smooth, with the same backward.

    With every quantizer of a model frozen, the adjoint check applies to the whole quantized model.
    There is one residual for each shape of input.
    """

    def __init__(self, inner: Quantizer) -> None:
        self.inner, self.bits, self.convention = inner, inner.bits, inner.convention
        self._caches: dict[tuple[int, ...], Any] = {}

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, Any]:
        """Quantize the first array of each shape; add its residual to later ones."""
        if w.shape not in self._caches:
            self._caches[w.shape] = self.inner.forward(w, keep_residual=True)[1]
        cache = self._caches[w.shape]
        return self.inner.frozen(w, cache), cache

    def backward(self, dw_hat: Array, cache: Any) -> Array:
        """Pass the gradient as the inner quantizer does."""
        return self.inner.backward(dw_hat, cache)

    def frozen(self, w: Array, cache: Any) -> Array:
        """Apply the inner quantizer's frozen map."""
        return self.inner.frozen(w, cache)

    def encode(self, w: Array) -> QuantizedTensor:
        """Return the inner quantizer's codes."""
        return self.inner.encode(w)

    def bias(self, w: Array, cache: Any) -> Array | None:
        """Return the inner quantizer's bias, for the zeros of the first call."""
        return self.inner.bias(w, cache)

    def bias_backward(self, dbias: Array, cache: Any) -> Array | None:
        """Pass the bias's gradient as the inner quantizer does."""
        return self.inner.bias_backward(dbias, cache)

    def params(self) -> dict[str, Param]:
        """Return the inner quantizer's parameters."""
        return self.inner.params()


def freeze(model: Classifier) -> Classifier:
    """Replace every quantizer of a model by its FrozenResidual, in place."""
    for _, layer in model.quantizable():
        layer.weight_quant = FrozenResidual(layer.weight_quant)
        layer.act_quant = FrozenResidual(layer.act_quant)
    for _, norm in model.norms():
        norm.gamma_quant = FrozenResidual(norm.gamma_quant)
    return model
