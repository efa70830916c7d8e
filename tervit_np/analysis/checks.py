"""All checks as rows of one table."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from tervit_np.analysis import gradcheck
from tervit_np.analysis.adjoint import LIMIT as ADJOINT_LIMIT
from tervit_np.analysis.adjoint import adjoint_checks
from tervit_np.analysis.diagnosis import likely_mistake
from tervit_np.analysis.frozen import frozen_checks
from tervit_np.analysis.golden import CASES, compare, filled_model, inputs
from tervit_np.analysis.gradcheck import Difference
from tervit_np.analysis.operators import operators
from tervit_np.analysis.planting import CATCHERS, Plant, planted
from tervit_np.analysis.structure import structure_checks

GOLDEN_LIMIT = 1e-9
# Lengths of the operators' inputs that could be a forgotten factor.
_SIZES: dict[str, float] = {
    "K": 2,
    "batch": 4,
    "tokens": 3,
    "rows": 6,
    "0.4 (the scale)": 0.4,
    "T": 3,
}


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
            yield _row("differences", found, gradcheck.LIMIT)
    for case, config in CASES.items():
        images, _ = inputs(config)
        worst = max(adjoint_checks(filled_model(config), images, rng), key=_severity)
        yield _row("adjoint", worst._replace(name=f"{case} model: {worst.name}"), ADJOINT_LIMIT)


def golden() -> Iterator[Row]:
    """Check small models against stored values."""
    for case in CASES:
        found = compare(case)
        for part in ("logits", "loss", "grad."):
            worst = max((c for c in found if c.name.startswith(part)), key=lambda c: c.error)
            ok = worst.error <= GOLDEN_LIMIT
            what = f"{case} model: {worst.name.removeprefix('grad.')}"
            note = "" if ok else "another framework computes something else from the same weights"
            yield Row("golden", what, worst.error, GOLDEN_LIMIT, ok, note)


def frozen(seed: int = 0) -> Iterator[Row]:
    """Check every quantizer's convention."""
    for gradient, value in frozen_checks(np.random.default_rng(seed)):
        row = _row("frozen", gradient, gradcheck.LIMIT)
        if row.ok and not value.error <= 1e-12:
            row = row._replace(ok=False, error=value.error, note="frozen(w0) is not forward(w0)")
        yield row


def structure(seed: int = 0) -> Iterator[Row]:
    """Check manners."""
    for found in structure_checks(np.random.default_rng(seed)):
        yield Row("structure", found.name, None, None, found.fault is None, found.fault or "")


CHECKS: dict[str, Callable[[], Iterable[Row]]] = dict(
    zip(CATCHERS, (differences, golden, frozen, structure), strict=True)
)


def caught_by(plant: Plant) -> list[str]:
    """Return the kinds of checks that fail under a plant."""
    with planted(plant):
        return [kind for kind, rows in CHECKS.items() if not _passes(rows)]


def _passes(rows: Callable[[], Iterable[Row]]) -> bool:
    """Run until the first failure. A check that cannot even run has failed."""
    try:
        return all(row.ok for row in rows())
    except (ValueError, IndexError, TypeError):
        return False


def _row(check: str, found: Difference, limit: float) -> Row:
    ok = bool(found.error <= limit)
    note = "" if ok else likely_mistake(found, _SIZES)
    return Row(check, found.name, found.error, limit, ok, note)


def _severity(found: Difference) -> float:
    return found.error if np.isfinite(found.error) else np.inf
