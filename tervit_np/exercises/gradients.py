"""Check a student's backward pass by finite differences, and name its mistake.

The forward is the library's, in float64; the upstream is random, because under ones many a wrong
backward passes. Inputs, cache and upstream are read-only. A wrong gradient is compared with the
gradients of known mistakes; if it equals one, the sentence of that mistake explains it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.exercise import Finding
from tervit_np.verify.diagnosis import likely_mistake
from tervit_np.verify.gradcheck import GradientCheck
from tervit_np.verify.operators import Operator

# Takes dy and the cache.  -> {"dx": {sentence: the gradient under that mistake}}
KnownMistakes: TypeAlias = Callable[[Array, Any], dict[str, dict[str, Array]]]


def check_backward(
    operators: Iterable[Operator], known_mistakes: KnownMistakes
) -> Iterator[Finding]:
    """Check `backward` of each operator in turn, then that float32 stays float32."""
    rng = np.random.default_rng(0)
    for operator in operators:
        yield from _gradient_findings(operator, known_mistakes, rng)
    yield _dtype_finding(operator, rng)


def _gradient_findings(
    operator: Operator, known_mistakes: KnownMistakes, rng: np.random.Generator
) -> Iterator[Finding]:
    """Yield one finding for all gradients if they are right, else one for each."""
    names = [f"d{name}" for name in operator.inputs]
    first, x = next(iter(operator.inputs.items()))
    case = f"{first} {x.shape}"
    y, cache = operator.forward(*map(read_only, operator.inputs.values()))
    dy, cache = read_only(rng.normal(size=np.shape(y))), _read_only_cache(cache)
    gradients = _gradients(operator, dy, cache)
    if fault := _not_arrays(gradients, names):
        yield Finding(case, fault)
        return
    known = known_mistakes(dy, cache)
    numeric = operator.numerical_gradients(dy)
    findings = [
        Finding(
            f"{case}: {name}",
            _explain(GradientCheck(name, a, n), known.get(name, {}), operator.factors),
        )
        for name, a, n in zip(names, gradients, numeric, strict=True)
    ]
    if all(finding.ok for finding in findings):
        yield Finding(f"{case}: {', '.join(names)}")
    else:
        yield from findings


def _gradients(operator: Operator, dy: Array, cache: Any) -> Any:
    """Run the backward; the one gradient of an operator of one input need not be in a tuple."""
    result = operator.backward(dy, cache)
    is_single = len(operator.inputs) == 1 and isinstance(result, np.ndarray)
    return (result,) if is_single else result


def _not_arrays(result: Any, names: list[str]) -> str:
    """Explain a result that is not one array for each name; empty if it is."""
    count = "one array" if len(names) == 1 else f"{len(names)} arrays"
    expected = f"expected {count}, {', '.join(names)}"
    if result is None:
        return f"nothing is returned, {expected}: is the `return` missing?"
    if not isinstance(result, tuple | list):
        kind = "array" if isinstance(result, np.ndarray) else type(result).__name__
        return f"one {kind} is returned, {expected}"
    if len(result) != len(names):
        return f"{len(result)} values are returned, {expected}"
    for name, value in zip(names, result, strict=True):
        if not isinstance(value, np.ndarray | np.floating) or value.dtype.kind != "f":
            kind = getattr(value, "dtype", type(value).__name__)
            return f"{name} is {kind}, expected an array of real numbers"
    return ""


def _explain(
    check: GradientCheck, known: dict[str, Array], factors: dict[str, float] | None
) -> str:
    """Name the mistake in a gradient; empty if there is none."""
    analytic, numeric = np.asarray(check.analytic), check.numeric
    if analytic.shape == numeric.shape and check.ok:
        return ""
    for sentence, wrong in known.items():
        if np.shape(wrong) == analytic.shape and np.allclose(analytic, wrong, rtol=1e-6, atol=1e-9):
            return sentence
    mistake = likely_mistake(check, factors)
    if analytic.shape != numeric.shape:
        return mistake
    worst = np.unravel_index(np.argmax(np.abs(analytic - numeric)), numeric.shape)
    index = f"[{', '.join(map(str, worst))}]"
    return (
        f"{mistake} (yours at {index} is {analytic[worst]:.4g}, "
        f"by differences {numeric[worst]:.4g})"
    )


def _dtype_finding(operator: Operator, rng: np.random.Generator) -> Finding:
    """Run in float32, in which models are trained."""
    y, cache = operator.forward(*(x.astype(np.float32) for x in operator.inputs.values()))
    gradients = _gradients(operator, rng.normal(size=np.shape(y)).astype(np.float32), cache)
    others = [
        f"d{name} is {gradient.dtype}"
        for name, gradient in zip(operator.inputs, gradients, strict=True)
        if gradient.dtype != np.float32
    ]
    message = f"{others[0]}, but dy and the cache are float32: what widened it?" if others else ""
    return Finding("float32 stays float32", message)


def _read_only_cache(cache: Any) -> Any:
    if isinstance(cache, np.ndarray):
        return read_only(cache)
    if isinstance(cache, tuple):
        parts = [_read_only_cache(part) for part in cache]
        return cache._make(parts) if hasattr(cache, "_make") else tuple(parts)
    return cache
