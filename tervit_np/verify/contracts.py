"""What holds whatever the numbers: who owns which memory, what is added, what keeps its type.

Read-only arrays make a write where it does not belong an error. Everything runs the NumPy lines,
float32 included, because those are what a reader changes.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.backends import backend
from tervit_np.nn import Block
from tervit_np.quant import Quantizer
from tervit_np.verify.frozen import QUANTIZERS
from tervit_np.verify.golden import CASES, filled_model, inputs, results
from tervit_np.verify.operators import Operator, operators


class Property(NamedTuple):
    """One property of one thing, and how it is broken if it is."""

    name: str
    fault: str | None


def structure_checks(rng: np.random.Generator) -> Iterator[Property]:
    """Check manners and types of operators, blocks and quantizers, then accumulation in models."""
    with backend("numpy"):
        for operator in operators(rng):
            yield from _operator(operator, rng)
        yield from _block(rng)
        for quantizer in QUANTIZERS:
            yield Property(f"{quantizer!r} reads only", _writes(quantizer, rng))
            yield Property(f"{quantizer!r} keeps float32", _widens(quantizer, rng))
        for case, config in CASES.items():
            yield Property(f"{case} model accumulates", _accumulates(config))
            yield Property(f"{case} model: parts of a batch add up", _adds_up(config))


def _operator(operator: Operator, rng: np.random.Generator) -> Iterator[Property]:
    values = [_locked(x) for x in operator.inputs.values()]
    y, cache = operator.forward(*values)
    dy = _locked(rng.normal(size=np.shape(y)))
    remembered = _copy(cache)
    yield Property(f"{operator.name} leaves dy alone", _fault(operator.backward, dy, cache))
    written = None if _same(cache, remembered) else "the backward wrote on it"
    yield Property(f"{operator.name} leaves its cache alone", written)
    yield Property(f"{operator.name} keeps float32", _widened(operator, values))


def _block(rng: np.random.Generator) -> Iterator[Property]:
    """A block may write on what it computed itself, not on what it was given."""
    block = Block(4, 2, 8, 0.0, dtype=np.float64)
    x, dy = (_locked(a) for a in rng.normal(size=(2, 2, 3, 4)))
    yield Property("a block leaves its input alone", _fault(block.forward, x))
    _, cache = block.forward(x.copy())
    yield Property("a block leaves dy alone", _fault(block.backward, dy, cache))


def _writes(quantizer: Quantizer, rng: np.random.Generator) -> str | None:
    """The latent weight and the gradient belong to others."""
    w, dw_hat = (_locked(a) for a in rng.normal(size=(2, 3, 5)))
    fault = _fault(quantizer.forward, w)
    return fault or _fault(quantizer.backward, dw_hat, quantizer.forward(w.copy(), keep=True)[1])


def _widens(quantizer: Quantizer, rng: np.random.Generator) -> str | None:
    w, dw_hat = rng.normal(size=(2, 3, 5)).astype(np.float32)
    w_hat, cache = quantizer.forward(w)
    return _wide(w_hat, quantizer.backward(dw_hat, cache))


def _fault(function: Callable[..., Any], *given: Any) -> str | None:
    try:
        function(*given)
    except ValueError as error:
        return f"it was written on ({error})"
    return None


def _widened(operator: Operator, values: list[Array]) -> str | None:
    """Run in float32 and look for float64."""
    y, cache = operator.forward(*(x.astype(np.float32) for x in values))
    if not isinstance(y, np.ndarray):
        return None if cache.dtype == np.float32 else f"its gradient is {cache.dtype}"
    gradients = operator.backward(np.ones_like(y), cache)
    return _wide(y, *(gradients if isinstance(gradients, tuple) else (gradients,)))


def _wide(*arrays: Array) -> str | None:
    wide = [a.dtype for a in arrays if a.dtype != np.float32]
    return f"float32 became {wide[0]}" if wide else None


def _accumulates(config: Any) -> str | None:
    """Two backward passes must add up to twice one."""
    model = filled_model(config)
    images, labels = inputs(config)
    once = results(model, images, labels)
    logits, cache = model.forward(images)
    pair = isinstance(logits, tuple)
    d = tuple(np.ones_like(z) for z in logits) if pair else np.ones_like(logits)
    held = {name: p.grad for name, p in model.named_params()}
    model.zero_grad()
    model.backward(d, cache)
    first = {name: gradient.copy() for name, gradient in held.items()}
    model.backward(d, cache)
    for name, p in model.named_params():
        if p.grad is not held[name]:
            return f"{name}: the gradient is another array now; who held the old one misses it"
        if not np.allclose(p.grad, 2 * first[name], rtol=1e-12, atol=1e-300):
            return f"{name}: a second backward replaces the gradient instead of adding to it"
    again = results(model, images, labels)
    return None if all(np.array_equal(once[k], again[k]) for k in once) else "state stayed behind"


def _adds_up(config: Any) -> str | None:
    """Gradients of a batch are the sum of those of its parts (losses are means, so weighted)."""
    model = filled_model(config)
    images, labels = inputs(config, 4)
    whole = results(model, images, labels)
    parts = [results(model, images[i : i + 2], labels[i : i + 2]) for i in (0, 2)]
    for name in (k for k in whole if k.startswith("grad.") and k != "grad.images"):
        total = (parts[0][name] + parts[1][name]) / 2
        if np.abs(total - whole[name]).max() > 1e-12 * max(np.abs(whole[name]).max(), 1e-3):
            return f"{name.removeprefix('grad.')} of a batch is not the sum over its images"
    return None


def _locked(x: Array) -> Array:
    x = x.copy()
    x.flags.writeable = False
    return x


def _copy(cache: Any) -> Any:
    if isinstance(cache, np.ndarray):
        return cache.copy()
    return tuple(_copy(c) for c in cache) if isinstance(cache, tuple) else cache


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, two))
    if isinstance(one, tuple):
        return all(_same(a, b) for a, b in zip(one, two, strict=True))
    return bool(one == two)
