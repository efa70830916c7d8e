"""Recovery: the accuracy lost at each quantization, and regained by training."""

from pathlib import Path
from typing import TYPE_CHECKING

from tervit_np.analysis.run_record import StageRecord
from tervit_np.analysis.style import FAINT, PAPER, stage_colour
from tervit_np.analysis.svg import Chart, chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MAX_WORDS = 3  # stages of which a narrow chart has room for all words


def draw_recovery(stages: list[StageRecord], path: Path) -> Chart:
    """Draw test accuracy in percent before and after each stage; write the PNG."""

    def draw(fig: "Figure", is_narrow: bool) -> None:
        ax = fig.subplots()
        points: list[tuple[float, float]] = []
        for i, stage in enumerate(stages):
            colour = stage_colour(stage.name, i)
            start, end = 100 * stage.start_accuracy, 100 * stage.accuracy
            if i == 0:
                points.append((0.0, end))
                ax.plot([0], [end], "o", color=colour, markersize=9)
                _label(ax, (_trained(stage, is_narrow), f"{end:.1f} %"), 0, end, above=True)
                continue
            x = 2 * i - 1.0
            ax.plot([points[-1][0], x], [points[-1][1], start], "--", color=FAINT, zorder=0)
            ax.annotate("", (x + 1, end), (x, start),
                        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2.2})  # fmt: skip
            ax.plot([x], [start], "o", color=PAPER, markeredgecolor=colour, markersize=9, mew=2)
            ax.plot([x + 1], [end], "o", color=colour, markersize=9)
            crowded = is_narrow and len(stages) > MAX_WORDS
            _label(ax, ("" if crowded else "quantized", f"{start:.1f} %"), x, start)
            _label(ax, (_trained(stage, is_narrow), f"{end:.1f} %"), x + 1, end, above=True)
            points += [(x, start), (x + 1, end)]
        heights = [y for _, y in points]
        span = max(max(heights) - min(heights), 4)
        ax.set_ylim(min(heights) - 0.45 * span, max(heights) + 0.3 * span)
        ax.set_xlim(-0.6, 2 * len(stages) - 1.4)
        ax.set_xticks([])
        ax.spines["bottom"].set_visible(False)
        ax.set_ylabel("test accuracy (%)")

    return chart(draw, path, wide=(7.2, 3.6), narrow=3.6)


def _trained(stage: StageRecord, is_narrow: bool) -> str:
    return stage.name if is_narrow else f"{stage.name}, trained"


def _label(ax: "Axes", lines: tuple[str, str], x: float, y: float, above: bool = False) -> None:
    """Write two lines below a point, or above it."""
    shown = [line for line in lines if line]
    for i, line in enumerate(shown[::-1] if above else shown):
        distance = 12 + 14 * i
        offset, anchor = ((0, distance), "bottom") if above else ((0, -distance), "top")
        ax.annotate(line, (x, y), offset, textcoords="offset points", ha="center", va=anchor)
