"""A record as two tables: accuracies by arm, and differences seed by seed. Markdown, aligned."""

import math
from collections.abc import Sequence

from tervit_np.analysis.comparison.plan import Arm, Contrast
from tervit_np.analysis.comparison.record import Record
from tervit_np.analysis.comparison.statistics import Spread, spread

EDGE = " (edge)"  # the best multiplier was the smallest or largest: a wider grid might do better


def tables(record: Record) -> str:
    """Lay both tables out."""
    return f"{arms_table(record)}\n{contrasts_table(record)}"


def arms_table(record: Record) -> str:
    """Lay out one row for each arm; accuracies in percent, differences in points."""
    baseline = record.plan.baseline
    validation = ("validation, quantized", "trained")  # before the last stage and after it
    head = ("arm", "epochs", "rates", *validation, "test", f"against {baseline}", "95 %")
    rows = []
    for arm in record.plan.arms:
        against = record.difference(Contrast("", (arm.name,), (baseline,)))
        untrained = record.untrained(arm.name)
        rows.append(
            (
                arm.name,
                budget(arm),
                f"x {record.multipliers[arm.name]:g}{_edge(record, arm)}",
                plain(spread(untrained)) if untrained else "",
                plain(spread(record.accuracies(arm.name, "accuracy"))),
                plain(spread(record.accuracies(arm.name))),
                *(("", "") if arm.name == baseline else (signed(against), interval(against))),
            )
        )
    return markdown(head, rows)


def contrasts_table(record: Record) -> str:
    """Lay out one row for each question."""
    seeds = ", ".join(map(str, record.plan.seeds))
    head = ("difference in test accuracy", "mean ± sd", "95 %", f"seeds {seeds}")
    rows = []
    for contrast in record.plan.questions:
        total = record.difference(contrast)
        each = ", ".join(f"{d:+.2f}" for d in record.differences(contrast))
        rows.append((contrast.name, signed(total), interval(total), each))
    return markdown(head, rows)


def budget(arm: Arm) -> str:
    """Write an arm's stages with their epochs: float 5, 8-bit 1, ternary 4."""
    return ", ".join(f"{stage.name} {stage.epochs:g}" for stage in arm.stages)


def plain(of: Spread) -> str:
    """Write mean and standard deviation."""
    return f"{of.mean:.2f}" + ("" if math.isnan(of.sd) else f" ± {of.sd:.2f}")


def signed(of: Spread) -> str:
    """Write a difference and its standard deviation."""
    return f"{of.mean:+.2f}" + ("" if math.isnan(of.sd) else f" ± {of.sd:.2f}")


def interval(of: Spread) -> str:
    """Write the interval that holds the mean with 95 %, empty for a single seed."""
    if math.isnan(of.half):
        return ""
    return f"{of.mean - of.half:+.2f} to {of.mean + of.half:+.2f}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows with columns as wide as their widest cell."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "".join(
        f"| {' | '.join(c.ljust(w) for c, w in zip(line, widths, strict=True))} |\n"
        for line in lines
    )


def _edge(record: Record, arm: Arm) -> str:
    grid, chosen = record.plan.multipliers, record.multipliers[arm.name]
    return EDGE if len(grid) > 1 and chosen in (min(grid), max(grid)) else ""
