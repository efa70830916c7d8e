"""Check a student's backward pass by finite differences, and name its mistake.

The forward is the library's, in float64; the upstream is random, because under ones many a wrong
backward passes. Inputs, cache and upstream are read-only. A wrong gradient is compared with the
gradients of known mistakes; if it equals one, the sentence of that mistake explains it.

An example for paper comes first. Where it is wrong, its finding shows both numbers and the sentence
about the same gradient of random numbers, which tell mistakes apart that a small example cannot.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import equal, is_expected, not_arrays, shared_memory
from tervit_np.exercises.exercise import Finding
from tervit_np.exercises.numbers import check_rng
from tervit_np.verify.diagnosis import likely_mistake, wrong_shape
from tervit_np.verify.gradcheck import GradientCheck
from tervit_np.verify.operators import Operator

# Takes dy and the cache.  -> {"dx": {sentence: the gradient under that mistake}}
KnownMistakes: TypeAlias = Callable[[Array, Any], dict[str, dict[str, Array]]]


class PaperExample(NamedTuple):
    """Numbers small enough for paper: `about` writes them out, `gradients` are the right ones."""

    about: str
    dy: Array
    cache: Any
    gradients: tuple[Array, ...]


def check_backward(
    operators: Iterable[Operator],
    known_mistakes: KnownMistakes,
    example: PaperExample | None = None,
) -> Iterator[Finding]:
    """Check `backward` on paper, by finite differences of each operator, and in float32."""
    for i, operator in enumerate(operators):
        findings = list(_gradient_findings(operator, known_mistakes, check_rng(i)))
        if example and i == 0:
            yield from _paper_findings(operator, example, findings)
        yield from findings
    yield _dtype_finding(operator, check_rng())


def _paper_findings(
    operator: Operator, example: PaperExample, findings: list[Finding]
) -> Iterator[Finding]:
    """Yield one finding for all gradients of the example if they are right, else one for each."""
    names = [f"d{name}" for name in operator.inputs]
    gradients = _gradients(operator, read_only(example.dy), _read_only_cache(example.cache))
    if fault := not_arrays(gradients, names):
        yield Finding(example.about, fault)
        return
    causes = dict.fromkeys(names, "")
    causes |= {f.what.rpartition(": ")[2]: f.message for f in findings if not f.ok}
    wrong = {
        name: f"{name} {is_expected(value, true)}"
        for name, value, true in zip(names, gradients, example.gradients, strict=True)
        if not equal(np.asarray(value), true)
    }
    if not wrong:
        yield Finding(f"{example.about}: {', '.join(names)}")
    for name, numbers in wrong.items():
        cause = causes[name].partition(" (yours at ")[0]
        yield Finding(f"{example.about}: {name}", f"{numbers}{': ' if cause else ''}{cause}")


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
    if fault := not_arrays(gradients, names):
        yield Finding(case, fault)
        return
    known = known_mistakes(dy, cache)
    numeric = dict(zip(names, operator.numerical_gradients(dy), strict=True))
    checks = [
        GradientCheck(name, np.asarray(gradient), numeric[name])
        for name, gradient in zip(names, gradients, strict=True)
    ]
    findings = [
        Finding(
            f"{case}: {check.name}",
            _exchanged(check, checks)
            or _explain(check, known.get(check.name, {}), operator.factors)
            or shared_memory(check.analytic, check.name, {"dy": dy, **_arrays_of(cache)}),
        )
        for check in checks
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


def _exchanged(check: GradientCheck, checks: list[GradientCheck]) -> str:
    """Recognise the gradient of another input; empty if it is this one's or none of them."""
    if _right(check):
        return ""
    order = f"is the order {', '.join(c.name for c in checks)}?"
    for other in checks:
        if other is check or _right(other):
            continue
        if equal(check.analytic, other.numeric):
            return f"this is {other.name}: {order}"
        shape = check.analytic.shape
        if shape == other.numeric.shape != check.numeric.shape and shape != other.analytic.shape:
            return f"this has the shape of {other.name}: {order}"
    return ""


def _right(check: GradientCheck) -> bool:
    return check.analytic.shape == check.numeric.shape and check.ok


def _explain(
    check: GradientCheck, known: dict[str, Array], factors: dict[str, float] | None
) -> str:
    """Name the mistake in a gradient; empty if there is none."""
    analytic, numeric = check.analytic, check.numeric
    if equal(analytic, numeric) and analytic.dtype != np.float64:
        return f"it is {analytic.dtype}, but dy and the cache are float64: what narrowed it?"
    if _right(check):
        return ""
    for sentence, wrong in known.items():
        if equal(analytic, wrong):
            return sentence
    if analytic.shape != numeric.shape:
        return wrong_shape(analytic.shape, numeric.shape)
    worst = np.unravel_index(np.argmax(np.abs(analytic - numeric)), numeric.shape)
    index = f"[{', '.join(map(str, worst))}]"
    return (
        f"{likely_mistake(check, factors)} (yours at {index} is {analytic[worst]:.4g}, "
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


def _arrays_of(cache: Any) -> dict[str, Any]:
    """Name the arrays of a cache as a student does: `cache.x`, or `the cache` alone."""
    fields = getattr(cache, "_fields", ())
    return {f"cache.{field}": getattr(cache, field) for field in fields} or {"the cache": cache}


def _read_only_cache(cache: Any) -> Any:
    if isinstance(cache, np.ndarray):
        return read_only(cache)
    if isinstance(cache, tuple):
        parts = [_read_only_cache(part) for part in cache]
        return cache._make(parts) if hasattr(cache, "_make") else tuple(parts)
    return cache
