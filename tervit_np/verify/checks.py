"""All checks as rows of one table."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tervit_np.models.registry import Config
from tervit_np.verify import gradcheck
from tervit_np.verify.adjoint import LIMIT as ADJOINT_LIMIT
from tervit_np.verify.adjoint import adjoint_checks, first_wrong, lengths
from tervit_np.verify.contracts import structure_checks
from tervit_np.verify.diagnosis import likely_mistake
from tervit_np.verify.frozen import frozen_checks
from tervit_np.verify.golden import CASES, compare, filled_model, inputs
from tervit_np.verify.gradcheck import Difference
from tervit_np.verify.hand_examples import worked_examples
from tervit_np.verify.mutation import CATCHERS, Mutant, mutated
from tervit_np.verify.operators import operators

GOLDEN_LIMIT = 1e-9
_DROP_PATH = 0.5  # so that whole models check stochastic depth too
_BATCH = 8  # enough that the two branches of a block drop different images


class Row(NamedTuple):
    """One check and its outcome."""

    check: str
    what: str
    error: float | None  # relative; None where the outcome is yes or no
    limit: float | None
    ok: bool
    note: str = ""


def differences(seed: int = 0) -> Iterator[Row]:
    """Check every operator by differences, then small whole models by the adjoint."""
    rng = np.random.default_rng(seed)
    for operator in operators(rng):
        for found in operator.differences(rng):
            yield to_row("differences", found, gradcheck.LIMIT, operator.sizes)
    rng = np.random.default_rng([seed, 1])  # its own, so that what is dropped stays the same
    for case, config in CASES.items():
        yield _adjoint(case, replace(config, drop_path=_DROP_PATH), rng)


def _adjoint(case: str, config: Config, rng: np.random.Generator) -> Row:
    """Check one model: the worst tensor if all are right, else the first wrong on the way back."""
    images, _ = inputs(config, _BATCH)
    found = list(adjoint_checks(filled_model(config), images, rng))
    if (wrong := first_wrong(found)) is None:
        worst = max(found, key=lambda difference: difference.error)
        return to_row("adjoint", worst._replace(name=f"{case} model: {worst.name}"), ADJOINT_LIMIT)
    difference, where = wrong
    named = difference._replace(name=f"{case} model: {difference.name}")
    row = to_row("adjoint", named, ADJOINT_LIMIT, lengths(config, len(images)))
    return row._replace(note=f"{where}: {row.note}")


def golden(seed: int = 0) -> Iterator[Row]:
    """Check small models against stored values, losses and quantizers against worked examples.

    Nothing is drawn at random here; `seed` makes all checks callable alike.
    """
    for case in CASES:
        yield from _golden(case)
    for example in worked_examples():
        ok = example.error <= GOLDEN_LIMIT
        note = "" if ok else f"found {example.ours.tolist()}, by hand {example.golden.tolist()}"
        yield Row("worked", example.name, example.error, GOLDEN_LIMIT, ok, note)


def _golden(case: str) -> Iterator[Row]:
    """Compare logits, loss and gradients of one model, the worst of each."""
    found = compare(case)
    parts = {"logits": "the forward pass", "loss": "the loss", "grad.": "the backward pass"}
    worst = {
        part: max((c for c in found if c.name.startswith(part)), key=lambda c: c.error)
        for part in parts
    }
    wrong = [part for part in parts if not worst[part].error <= GOLDEN_LIMIT]
    for part, comparison in worst.items():
        what = f"{case} model: {comparison.name.removeprefix('grad.')}"
        note = f"another framework disagrees; look at {parts[wrong[0]]}" if part in wrong else ""
        yield Row("golden", what, comparison.error, GOLDEN_LIMIT, part not in wrong, note)


def frozen(seed: int = 0) -> Iterator[Row]:
    """Check every quantizer's convention."""
    for gradient, value in frozen_checks(np.random.default_rng(seed)):
        row = to_row("frozen", gradient, gradcheck.LIMIT)
        if row.ok and not value.error <= 1e-12:
            row = row._replace(ok=False, error=value.error, note="frozen(w0) is not forward(w0)")
        yield row


def structure(seed: int = 0) -> Iterator[Row]:
    """Check manners."""
    for found in structure_checks(np.random.default_rng(seed)):
        yield Row("structure", found.name, None, None, found.fault is None, found.fault or "")


CHECKS: dict[str, Callable[[int], Iterable[Row]]] = dict(
    zip(CATCHERS, (differences, golden, frozen, structure), strict=True)
)


def caught_by(mutant: Mutant) -> list[str]:
    """Return the kinds of checks that fail under a mutant."""
    with mutated(mutant):
        return [kind for kind, rows in CHECKS.items() if not _passes(rows)]


def _passes(rows: Callable[[int], Iterable[Row]]) -> bool:
    """Run until the first failure. A check that cannot even run has failed."""
    try:
        return all(row.ok for row in rows(0))
    except (ValueError, IndexError, TypeError):
        return False


def to_row(
    check: str, found: Difference, limit: float, sizes: dict[str, float] | None = None
) -> Row:
    """Judge a difference, and name the likely mistake where it is too large."""
    ok = bool(found.error <= limit)
    note = "" if ok else likely_mistake(found, sizes)
    return Row(check, found.name, found.error, limit, ok, note)
