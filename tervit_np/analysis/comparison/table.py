"""The record as two tables: accuracies by arm, and differences seed by seed.

A table is a list of rows, of which the first is its head.
"""

import math
from collections.abc import Sequence

from data_tools.terminal import printable
from tervit_np.analysis.comparison.plan import Arm, Contrast
from tervit_np.analysis.comparison.record import Record
from tervit_np.analysis.comparison.statistics import Summary, summarize

AT_END = " (at the grid's end)"  # a wider grid might contain a better multiplier


def arms_table(record: Record) -> list[tuple[str, ...]]:
    """Return one row for each arm; accuracies in percent, differences in points."""
    baseline = record.plan.baseline
    validation = ("validation, quantized", "trained")  # before the last stage and after it
    head = ("arm", "epochs", "rates", *validation, "test", f"against {baseline}", "95 %")
    rows: list[tuple[str, ...]] = [head]
    for arm in record.plan.arms:
        difference = record.difference(Contrast("", (arm.name,), (baseline,)))
        columns = (format_difference(difference), format_interval(difference))
        untrained = record.untrained(arm.name)
        rows.append(
            (
                arm.name,
                budget(arm),
                f"x {record.multipliers[arm.name]:g}{_grid_end(record, arm)}",
                format_mean(summarize(untrained)) if untrained else "",
                format_mean(summarize(record.accuracies(arm.name, "accuracy"))),
                format_mean(summarize(record.accuracies(arm.name))),
                *(columns if arm.name != baseline else ("", "")),
            )
        )
    return rows


def contrasts_table(record: Record) -> list[tuple[str, ...]]:
    """Return one row for each contrast."""
    seeds = ", ".join(map(str, record.plan.seeds))
    head = ("difference in test accuracy", "mean ± sd", "95 %", f"seeds {seeds}")
    rows: list[tuple[str, ...]] = [head]
    for contrast in record.plan.questions:
        total = record.difference(contrast)
        each = ", ".join(f"{d:+.2f}" for d in record.differences(contrast))
        rows.append((contrast.name, format_difference(total), format_interval(total), each))
    return rows


def budget(arm: Arm) -> str:
    """Write an arm's stages with their epochs: float 5, 8-bit 1, ternary 4."""
    return ", ".join(f"{stage.name} {stage.epochs:g}" for stage in arm.stages)


def format_mean(summary: Summary) -> str:
    """Write mean and standard deviation."""
    return f"{summary.mean:.2f}{_std(summary)}"


def format_difference(summary: Summary) -> str:
    """Write a difference with its sign, and its standard deviation."""
    return f"{summary.mean:+.2f}{_std(summary)}"


def format_interval(summary: Summary) -> str:
    """Write the 95 % interval of the mean; empty for a single seed."""
    if math.isnan(summary.margin):
        return ""
    return f"{summary.low:+.2f} to {summary.high:+.2f}"


def markdown(table: Sequence[Sequence[str]]) -> str:
    """Write a table in Markdown, whose columns are as wide as their widest cells.

    A bar in the name of an arm is escaped, or it would begin a column.
    """
    head, *rows = ([printable(cell).replace("|", r"\|") for cell in row] for row in table)
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "".join(
        f"| {' | '.join(c.ljust(w) for c, w in zip(line, widths, strict=True))} |\n"
        for line in lines
    )


def _std(summary: Summary) -> str:
    return "" if math.isnan(summary.std) else f" ± {summary.std:.2f}"


def _grid_end(record: Record, arm: Arm) -> str:
    widened = {trial["multiplier"] for trial in record.search}
    grid, chosen = {*record.plan.multipliers, *widened}, record.multipliers[arm.name]
    return AT_END if len(grid) > 1 and chosen in (min(grid), max(grid)) else ""
