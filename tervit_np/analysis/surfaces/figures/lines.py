"""The loss along one random direction at three scales."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tervit_np.analysis.style import stage_colour
from tervit_np.analysis.surfaces.directions import Curve
from tervit_np.analysis.surfaces.stairs import Stairs
from tervit_np.analysis.svg import Chart, chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# name of the curve: stage that gives its colour, line style, label
STYLES: dict[str, tuple[str, str, str]] = {
    "float": ("float", "-", "float"),
    "8-bit": ("8-bit", "-.", "8-bit, latent weights moved"),
    "ternary-latent": ("ternary", "-", "ternary, latent weights moved"),
    "ternary-effective": ("ternary", ":", "ternary, quantized weights moved"),
}


def draw_lines(
    far: tuple[Curve, ...], near: tuple[Curve, ...], stairs: Stairs, path: Path
) -> Chart:
    """Draw all curves at two scales, and the ternary one at the finest; write the PNG."""

    def draw(fig: "Figure", is_narrow: bool) -> None:
        if is_narrow:
            above, left, right = fig.subplots(3)
        else:
            grid = fig.add_gridspec(2, 2, height_ratios=(1.25, 1))
            cells = (0, slice(None)), (1, 0), (1, 1)
            above, left, right = (fig.add_subplot(grid[cell]) for cell in cells)
        for i, curve in enumerate(far):
            _draw(above, curve, i)
        for i, curve in enumerate(near):
            _dots(left, curve, i)
        _stairs(right, stairs)
        for ax, curve in ((above, far[0]), (left, near[0]), (right, stairs.curve)):
            reach = float(np.abs(curve.x).max())
            ax.set_xlim(-reach, reach)
            ax.set_title(f"within ±{reach:.2g}", fontsize=11)
            ax.set_xlabel("distance, in lengths of each row")
        flips = int(stairs.changed.max())
        right.set_title(f"within ±{stairs.curve.x[-1]:.2g}, {flips} codes flip", fontsize=11)
        above.set_ylabel("loss")
        left.set_ylabel("loss")
        if is_narrow:
            right.set_ylabel("loss")
        columns = 1 if is_narrow else 2
        fig.legend(*above.get_legend_handles_labels(), loc="outside upper left", ncols=columns)

    return chart(draw, path, wide=(7.2, 7.0), narrow=9.2)


def _style(curve: Curve, index: int) -> tuple[str, str, str]:
    stage, style, label = STYLES.get(curve.name, (curve.name, "-", curve.name))
    return stage_colour(stage, index), style, label


def _draw(ax: Any, curve: Curve, index: int) -> None:
    colour, style, label = _style(curve, index)
    ax.plot(curve.x, curve.loss, style, color=colour, label=label)
    low, high = curve.loss - curve.error, curve.loss + curve.error
    ax.fill_between(curve.x, low, high, color=colour, alpha=0.13, linewidth=0)


def _dots(ax: Any, curve: Curve, index: int) -> None:
    """Draw each measured point, because a quantized loss jumps between them."""
    colour, style, _ = _style(curve, index)
    ax.plot(curve.x, curve.loss, style, color=colour, linewidth=1.0, marker=".", markersize=3.5)


def _stairs(ax: Any, stairs: Stairs) -> None:
    """Draw the loss as steps, which the dense points resolve."""
    x, reach = stairs.curve.x, float(stairs.curve.x[-1])
    ax.step(x, stairs.curve.loss, where="mid", color=stage_colour("ternary"), linewidth=1.4)
    ax.set_xticks([-reach, 0, reach], [f"\N{MINUS SIGN}{reach:.2g}", "0", f"{reach:.2g}"])
    ax.ticklabel_format(axis="y", useOffset=False)
