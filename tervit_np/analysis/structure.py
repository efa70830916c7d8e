"""What holds whatever the numbers: who owns which memory, what is added, what keeps its type."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tervit_np.analysis.golden import CASES, filled_model, inputs, results
from tervit_np.analysis.operators import operators
from tervit_np.arrays import Array


class Property(NamedTuple):
    """One property of one thing, and how it is broken if it is."""

    name: str
    fault: str | None


def structure_checks(rng: np.random.Generator) -> Iterator[Property]:
    """Check every operator's manners, then accumulation and types of whole models."""
    for operator in operators(rng):
        values = [_locked(x) for x in operator.inputs.values()]
        y, cache = operator.forward(*values)
        dy = _locked(rng.normal(size=np.shape(y)))
        remembered = _copy(cache)
        yield Property(f"{operator.name} leaves dy alone", _fault(operator.backward, dy, cache))
        same = _same(cache, remembered)
        yield Property(
            f"{operator.name} leaves its cache alone", None if same else "the backward wrote on it"
        )
        yield Property(f"{operator.name} keeps float32", _widened(operator, values))
    for case, config in CASES.items():
        yield Property(f"{case} model accumulates", _accumulates(config))
        yield Property(f"{case} model: parts of a batch add up", _adds_up(config))


def _fault(backward: Callable[..., Any], dy: Array, cache: Any) -> str | None:
    try:
        backward(dy, cache)
    except ValueError as error:
        return f"the backward wrote on it ({error})"
    return None


def _widened(operator: Any, values: list[Array]) -> str | None:
    """Run in float32 and look for float64."""
    y, cache = operator.forward(*(x.astype(np.float32) for x in values))
    if not isinstance(y, np.ndarray):
        return None if cache.dtype == np.float32 else f"its gradient is {cache.dtype}"
    gradients = operator.backward(np.ones_like(y), cache)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    wide = [a.dtype for a in (y, *gradients) if a.dtype != np.float32]
    return f"float32 became {wide[0]}" if wide else None


def _accumulates(config: Any) -> str | None:
    """Two backward passes must add up to twice one."""
    model = filled_model(config)
    images, labels = inputs(config)
    once = results(model, images, labels)
    logits, cache = model.forward(images)
    pair = isinstance(logits, tuple)
    d = tuple(np.ones_like(z) for z in logits) if pair else np.ones_like(logits)
    model.zero_grad()
    model.backward(d, cache)
    first = {name: p.grad.copy() for name, p in model.named_params()}
    model.backward(d, cache)
    for name, p in model.named_params():
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
