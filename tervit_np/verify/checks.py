"""All checks as rows of one table, in four kinds.

differences   gradients of operators by finite differences, of whole models by the adjoint
golden        results of models against golden values, of losses and quantizers against examples
frozen        backwards of quantizers against the derivative of their frozen map, and by hand
contracts     aliasing, accumulation and dtype
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tervit_np.models import Config
from tervit_np.verify import gradcheck
from tervit_np.verify.adjoint import LIMIT as ADJOINT_LIMIT
from tervit_np.verify.adjoint import adjoint_checks, locate_mistake, model_factors
from tervit_np.verify.contracts import contract_checks
from tervit_np.verify.diagnosis import likely_mistake
from tervit_np.verify.frozen import frozen_checks
from tervit_np.verify.golden import CASES, ValueCheck, filled_model, golden_checks, inputs
from tervit_np.verify.gradcheck import GradientCheck
from tervit_np.verify.hand_examples import example_checks, gradient_examples
from tervit_np.verify.mutation import Mutant, mutated
from tervit_np.verify.operators import operators
from tervit_np.verify.step_examples import step_examples

GOLDEN_LIMIT = 1e-9
_DROP_PATH = 0.5  # so that whole models check stochastic depth too
_BATCH = 8  # enough that the two branches of a block drop different images


# Names in the first column of the table: adjoint is a part of differences, example of golden.
ROW_CHECKS = ("differences", "adjoint", "golden", "example", "frozen", "contracts")


class Row(NamedTuple):
    """One check and its outcome."""

    check: str  # one of ROW_CHECKS
    what: str
    error: float | None  # relative; None where the outcome is yes or no
    limit: float | None
    ok: bool
    note: str = ""


def differences(seed: int = 0) -> Iterator[Row]:
    """Check every operator by finite differences, then small whole models by the adjoint."""
    rng = np.random.default_rng(seed)
    for operator in operators(rng):
        for check in operator.gradient_checks(rng):
            yield gradient_row("differences", check, gradcheck.LIMIT, operator.factors)
    rng = np.random.default_rng([seed, 1])  # a new operator must not change which images drop
    for case, config in CASES.items():
        yield _adjoint(case, replace(config, drop_path=_DROP_PATH), rng)


def _adjoint(case: str, config: Config, rng: np.random.Generator) -> Row:
    """Check one model.  -> its worst tensor if all are right, else the one where errors begin."""
    images, _ = inputs(config, _BATCH)
    checks = list(adjoint_checks(filled_model(config), images, rng))
    if (located := locate_mistake(checks)) is None:
        worst = max(checks, key=lambda check: check.error)
        return gradient_row("adjoint", _of_model(case, worst), ADJOINT_LIMIT)
    check, where = located
    factors = model_factors(config, len(images))
    row = gradient_row("adjoint", _of_model(case, check), ADJOINT_LIMIT, factors)
    return row._replace(note=f"{where}: {row.note}")


def _of_model(case: str, check: GradientCheck) -> GradientCheck:
    return check._replace(name=f"{case} model: {check.name}")


def golden(seed: int = 0) -> Iterator[Row]:
    """Check small models against golden values, losses and quantizers against examples by hand.

    Nothing is random here; all kinds of checks take a seed so that they can be called alike.
    """
    for case in CASES:
        yield from _golden(case)
    for example in (*example_checks(), *step_examples()):
        yield _example_row("example", example)


def _golden(case: str) -> Iterator[Row]:
    """Compare logits, loss and gradients of one model.  -> the worst of each."""
    checks = golden_checks(case)
    passes = {"logits": "the forward pass", "loss": "the loss", "grad.": "the backward pass"}
    worst = {
        part: max((c for c in checks if c.name.startswith(part)), key=lambda c: c.error)
        for part in passes
    }
    wrong = [part for part in passes if not worst[part].error <= GOLDEN_LIMIT]
    for part, check in worst.items():
        what = f"{case} model: {check.name.removeprefix('grad.')}"
        note = f"another framework disagrees; look at {passes[wrong[0]]}" if part in wrong else ""
        yield Row("golden", what, check.error, GOLDEN_LIMIT, part not in wrong, note)


def frozen(seed: int = 0) -> Iterator[Row]:
    """Check that every quantizer's backward is what its convention declares."""
    for gradient, value in frozen_checks(np.random.default_rng(seed)):
        row = gradient_row("frozen", gradient, gradcheck.LIMIT)
        if row.ok and not value.error <= 1e-12:
            row = row._replace(ok=False, error=value.error, note="frozen(w0) is not forward(w0)")
        yield row
    for example in gradient_examples():
        yield _example_row("frozen", example)


def _example_row(kind: str, example: ValueCheck) -> Row:
    """Write a result by hand as a row, with both numbers if they differ."""
    ok = example.error <= GOLDEN_LIMIT
    note = f"result {example.actual.tolist()}, by hand {example.expected.tolist()}"
    return Row(kind, example.name, example.error, GOLDEN_LIMIT, ok, "" if ok else note)


def contracts(seed: int = 0) -> Iterator[Row]:
    """Check aliasing, accumulation and dtype."""
    for name, violation in contract_checks(np.random.default_rng(seed)):
        yield Row("contracts", name, None, None, violation is None, violation or "")


CHECKS: dict[str, Callable[[int], Iterable[Row]]] = {
    "differences": differences,
    "golden": golden,
    "frozen": frozen,
    "contracts": contracts,
}


def failures(kind: str, seed: int = 0) -> Iterator[Row]:
    """Yield the rows of one kind of check that fail; a check that cannot run has failed."""
    try:
        yield from (row for row in CHECKS[kind](seed) if not row.ok)
    except (ValueError, IndexError, TypeError) as error:
        note = f"{type(error).__name__}: {error}"
        yield Row(kind, "the check cannot run to its end", None, None, False, note)


def caught_by(mutant: Mutant) -> list[str]:
    """Return the kinds of checks that fail under a mutant, each run until its first failure."""
    with mutated(mutant):
        return [kind for kind in CHECKS if any(True for _ in failures(kind))]


def gradient_row(
    kind: str, check: GradientCheck, limit: float, factors: dict[str, float] | None = None
) -> Row:
    """Write a gradient check as a row; name the likely mistake if its error is too large."""
    ok = bool(check.error <= limit)
    note = "" if ok else likely_mistake(check, factors)
    return Row(kind, check.name, check.error, limit, ok, note)
