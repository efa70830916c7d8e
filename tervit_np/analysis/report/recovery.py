"""Recovery: the accuracy lost at each quantization, and regained by training."""

from pathlib import Path
from typing import TYPE_CHECKING

from tervit_np.analysis.run_record import StageRecord
from tervit_np.analysis.style import FAINT, figure, save, stage_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_recovery(stages: list[StageRecord], path: Path) -> Path:
    """Draw test accuracy in percent before and after each stage; write the PNG."""
    with figure(7.2, 3.6) as fig:
        ax = fig.subplots()
        points: list[tuple[float, float]] = []
        for i, stage in enumerate(stages):
            colour = stage_colour(stage.name, i)
            start, end = 100 * stage.start_accuracy, 100 * stage.accuracy
            if i == 0:
                points.append((0.0, end))
                ax.plot([0], [end], "o", color=colour, markersize=9)
                _label(ax, f"{stage.name}\n{end:.1f} %", 0, end, above=True)
                continue
            x = 2 * i - 1.0
            ax.plot([points[-1][0], x], [points[-1][1], start], "--", color=FAINT, zorder=0)
            ax.annotate("", (x + 1, end), (x, start),
                        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2.2})  # fmt: skip
            ax.plot([x], [start], "o", color="white", markeredgecolor=colour, markersize=9, mew=2)
            ax.plot([x + 1], [end], "o", color=colour, markersize=9)
            _label(ax, f"quantized\n{start:.1f} %", x, start)
            _label(ax, f"{stage.name}, trained\n{end:.1f} %", x + 1, end, above=True)
            points += [(x, start), (x + 1, end)]
        heights = [y for _, y in points]
        span = max(max(heights) - min(heights), 4)
        ax.set_ylim(min(heights) - 0.45 * span, max(heights) + 0.3 * span)
        ax.set_xlim(-0.6, 2 * len(stages) - 1.4)
        ax.set_xticks([])
        ax.spines["bottom"].set_visible(False)
        ax.set_ylabel("test accuracy (%)")
        return save(fig, path)


def _label(ax: "Axes", text: str, x: float, y: float, above: bool = False) -> None:
    """Write below a point, or above it."""
    offset, anchor = ((0, 12), "bottom") if above else ((0, -12), "top")
    ax.annotate(text, (x, y), offset, textcoords="offset points", ha="center", va=anchor)
