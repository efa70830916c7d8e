"""Two losses on the line from the float solution to the ternary one."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tervit_np.analysis.style import FAINT, INK, stage_colour
from tervit_np.analysis.surfaces.interpolation import Interpolation
from tervit_np.analysis.svg import Chart, chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = {"float": "with float weights", "ternary": "rounded to three values"}


def draw_interpolation(result: Interpolation, path: Path) -> Chart:
    """Draw both curves with their errors and crossings; write the PNG."""

    def draw(fig: "Figure", is_narrow: bool) -> None:
        ax = fig.subplots()
        for x, name in ((0, "float"), (1, "ternary")):
            ax.axvline(x, color=FAINT, linewidth=1, zorder=0)
            ax.annotate(f"{name} solution", (x, 1), (0, 3), textcoords="offset points", ha="center",
                        xycoords=("data", "axes fraction"), va="bottom", fontsize=10)  # fmt: skip
        for index, style in enumerate(("-", "--")):
            _curve(ax, result, index, style)
        for cross in result.crossings:
            y = float(np.interp(cross, result.curves[0].x, result.curves[0].loss))
            ax.plot([cross], [y], "D", color=INK, markersize=5)
            ax.annotate(f"equal at {cross:.2f}", (cross, y), (cross, 0.03),
                        textcoords=("data", "axes fraction"), ha="center", fontsize=10,
                        arrowprops={"arrowstyle": "-", "color": FAINT, "shrinkB": 4})  # fmt: skip
        low, high = ax.get_ylim()
        ax.set_ylim(low - 0.12 * (high - low), high)  # space for the labels below
        ax.set_xlim(result.curves[0].x[0], result.curves[0].x[-1])
        ax.set_xlabel("x, latent weights  (1 - x) float + x ternary")
        ax.set_ylabel("loss")
        ax.legend(loc="upper center")

    return chart(draw, path, wide=(7.2, 3.9), narrow=4.2)


def _curve(ax: "Axes", result: Interpolation, index: int, style: str) -> None:
    """Draw one curve with its error, and its loss at both solutions."""
    curve = result.curves[index]
    colour = stage_colour(curve.name)
    ax.fill_between(curve.x, curve.loss - curve.error, curve.loss + curve.error,
                    color=colour, alpha=0.18, linewidth=0)  # fmt: skip
    ax.plot(curve.x, curve.loss, style, color=colour, label=LABELS[curve.name])
    for x in (0, 1):
        at = int(np.abs(curve.x - x).argmin())
        ax.plot([curve.x[at]], [curve.loss[at]], "o", color=colour, markersize=6)
        upper = curve.loss[at] >= max(c.loss[at] for c in result.curves)
        left = upper and x == 1  # the curve rises to its right
        ax.annotate(f"{curve.loss[at]:.3f}", (curve.x[at], curve.loss[at]),
                    (-7 if left else 7, 8 if upper else -8), textcoords="offset points",
                    color=colour, fontsize=10, ha="right" if left else "left",
                    va="bottom" if upper else "top")  # fmt: skip
