"""Figure of a comparison: accuracies of all arms and seeds, and differences between arms."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from data_tools.terminal import printable
from tervit_np.analysis.comparison import Arm, Record
from tervit_np.analysis.comparison.statistics import Summary, summarize
from tervit_np.analysis.comparison.table import format_difference, format_interval, format_mean
from tervit_np.analysis.style import FAINT, INK, figure, save, stage_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_comparison(record: Record, path: Path) -> Path:
    """Draw test accuracies in percent and, below, differences in points; write the PNG."""
    arms, questions = record.plan.arms, record.plan.questions
    heights = (len(arms) + 1.5, len(questions) + 1.5)
    with figure(8.4, 0.36 * sum(heights) + 0.8) as fig:
        top, bottom = fig.subplots(2, height_ratios=heights)
        baseline = summarize(record.accuracies(record.plan.baseline)).mean
        top.axvline(baseline, color=FAINT, linewidth=1, zorder=0)
        for row, arm in enumerate(arms):
            values = record.accuracies(arm.name)
            total, colour = summarize(values), _colour(arm, row)
            _row(top, row, values, total, total.std, colour, format_mean(total))
        _rows(
            top,
            [arm.name for arm in arms],
            "test accuracy (%)",
            f"mean ± sd; line: {record.plan.baseline}",
        )
        bottom.axvline(0, color=FAINT, linewidth=1, zorder=0)
        for row, contrast in enumerate(questions):
            total = record.difference(contrast)
            text = f"{format_difference(total)}\n{format_interval(total)}".strip()
            _row(bottom, row, record.differences(contrast), total, total.margin, INK, text)
        names = [contrast.name for contrast in questions]
        _rows(bottom, names, "difference (points)", "95 % interval of the mean")
        return save(fig, path)


def _colour(arm: Arm, row: int) -> str:
    """Return the colour of the last stage; one of float weights may have any name."""
    last = arm.stages[-1]
    return stage_colour("float" if last.plan == "float" else last.name, row)


def _row(
    ax: "Axes",
    row: int,
    values: list[float],
    summary: Summary,
    bar: float,
    colour: str,
    text: str,
) -> None:
    """Draw seeds as open dots, the mean as a stroke, a bar of mean ± `bar`, and the numbers."""
    mean = summary.mean
    if not math.isnan(bar):
        ax.plot([mean - bar, mean + bar], [row, row], color=colour, linewidth=2)
    ax.plot(values, [row] * len(values), "o", color="white", markeredgecolor=colour, markersize=6)
    ax.plot([mean], [row], "|", color=colour, markersize=16, markeredgewidth=2.5)
    ax.annotate(text, (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=10)


def _rows(ax: "Axes", names: list[str], label: str, bar: str) -> None:
    """Label the rows, the first on top."""
    ax.set_yticks(range(len(names)), list(map(printable, names)))
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(label)
    ax.set_title(f"dots: seeds; bar: {bar}", fontsize=10)
