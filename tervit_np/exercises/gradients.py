"""A student's backward pass judged by finite differences, and its mistake named.

The forward is the library's, in float64; the upstream is random, because under ones many a wrong
backward passes. Inputs, cache and upstream are read-only. A wrong gradient is compared with
suspects, gradients of mistakes that others made before; the one that it equals explains it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from tervit_np.arrays import Array
from tervit_np.exercises.exercise import Finding
from tervit_np.verify.diagnosis import likely_mistake
from tervit_np.verify.gradcheck import Difference, numerical_gradient
from tervit_np.verify.operators import Operator

# Takes dy and the cache.  -> {"dx": {sentence: what the gradient is under that mistake}}
KnownMistakes: TypeAlias = Callable[[Array, Any], dict[str, dict[str, Array]]]


def check_backward(operators: Iterable[Operator], suspects: KnownMistakes) -> Iterator[Finding]:
    """Judge `backward` of each operator in turn, then whether float32 stays float32."""
    rng = np.random.default_rng(0)
    for operator in operators:
        yield from _differences(operator, suspects, rng)
    yield _narrow(operator, rng)


def _differences(
    operator: Operator, suspects: KnownMistakes, rng: np.random.Generator
) -> Iterator[Finding]:
    """Yield one finding for all gradients if they are right, else one for each."""
    names = [f"d{name}" for name in operator.inputs]
    first, x = next(iter(operator.inputs.items()))
    where = f"{first} {x.shape}"
    values = [locked(x) for x in operator.inputs.values()]
    y, cache = operator.forward(*values)
    dy, cache = locked(rng.normal(size=np.shape(y))), _locked_cache(cache)
    found = _gradients(operator, dy, cache)
    if fault := _not_arrays(found, names):
        yield Finding(where, fault)
        return
    known = suspects(dy, cache)
    findings = []
    for i, (name, gradient) in enumerate(zip(names, found, strict=True)):

        def moved(z: Array, i: int = i) -> Array:
            return np.asarray(operator.forward(*values[:i], z, *values[i + 1 :])[0])

        difference = Difference(name, gradient, numerical_gradient(moved, values[i], dy))
        why = _explain(difference, known.get(name, {}), operator.sizes)
        findings.append(Finding(f"{where}: {name}", why))
    if all(finding.ok for finding in findings):
        yield Finding(f"{where}: {', '.join(names)}")
    else:
        yield from findings


def _gradients(operator: Operator, dy: Array, cache: Any) -> Any:
    """Run the backward; the one gradient of an operator of one input need not be in a tuple."""
    found = operator.backward(dy, cache)
    alone = len(operator.inputs) == 1 and isinstance(found, np.ndarray)
    return (found,) if alone else found


def _not_arrays(found: Any, names: list[str]) -> str:
    """Say what was returned if it is not one array for each name."""
    count = "one array" if len(names) == 1 else f"{len(names)} arrays"
    expected = f"expected {count}, {', '.join(names)}"
    if found is None:
        return f"nothing is returned, {expected}: is the `return` missing?"
    if not isinstance(found, tuple | list):
        one = "array" if isinstance(found, np.ndarray) else type(found).__name__
        return f"one {one} is returned, {expected}"
    if len(found) != len(names):
        return f"{len(found)} values are returned, {expected}"
    for name, value in zip(names, found, strict=True):
        if not isinstance(value, np.ndarray | np.floating) or value.dtype.kind != "f":
            kind = getattr(value, "dtype", type(value).__name__)
            return f"{name} is {kind}, expected an array of real numbers"
    return ""


def _explain(found: Difference, known: dict[str, Array], sizes: dict[str, float] | None) -> str:
    """Name the mistake in a gradient, empty if there is none."""
    analytic, true = np.asarray(found.analytic), found.numeric
    if analytic.shape == true.shape and found.ok:
        return ""
    for sentence, wrong in known.items():
        if np.shape(wrong) == analytic.shape and np.allclose(analytic, wrong, rtol=1e-6, atol=1e-9):
            return sentence
    why = likely_mistake(found, sizes)
    if analytic.shape != true.shape:
        return why
    worst = np.unravel_index(np.argmax(np.abs(analytic - true)), true.shape)
    at = f"[{', '.join(map(str, worst))}]"
    return f"{why} (yours at {at} is {analytic[worst]:.4g}, by differences {true[worst]:.4g})"


def _narrow(operator: Operator, rng: np.random.Generator) -> Finding:
    """Run in float32, in which models are trained."""
    y, cache = operator.forward(*(x.astype(np.float32) for x in operator.inputs.values()))
    found = _gradients(operator, rng.normal(size=np.shape(y)).astype(np.float32), cache)
    wide = [
        f"d{name} is {gradient.dtype}"
        for name, gradient in zip(operator.inputs, found, strict=True)
        if gradient.dtype != np.float32
    ]
    why = f"{wide[0]} where everything given is float32: what made it wider?" if wide else ""
    return Finding("float32 stays float32", why)


def locked(x: Array) -> Array:
    """Copy an array, read-only.  (...) -> (...)."""
    x = np.array(x)
    x.flags.writeable = False
    return x


def _locked_cache(cache: Any) -> Any:
    if isinstance(cache, np.ndarray):
        return locked(cache)
    if isinstance(cache, tuple):
        parts = [_locked_cache(part) for part in cache]
        return cache._make(parts) if hasattr(cache, "_make") else tuple(parts)
    return cache
