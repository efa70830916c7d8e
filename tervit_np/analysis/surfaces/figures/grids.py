"""The loss over two random directions, as contours on one scale."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tervit_np.analysis.style import INK, PAPER, stage_colour
from tervit_np.analysis.surfaces.directions import Grid2D
from tervit_np.analysis.surfaces.figures.lines import STYLES
from tervit_np.analysis.surfaces.figures.loss_range import loss_range
from tervit_np.analysis.svg import Chart, chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_grids(grids: tuple[Grid2D, ...], path: Path) -> Chart:
    """Draw all surfaces with the same levels; write the PNG.

    Levels are geometric above the lowest loss, so that the valley is resolved too. The higher the
    loss, the more ink.
    """
    low, high = loss_range(grid.loss for grid in grids)
    levels = np.concatenate([[low], low + (high - low) * np.geomspace(0.01, 1, 11)])
    shades = [(INK, opacity) for opacity in np.linspace(0.04, 0.75, len(levels) - 1)]

    def draw(fig: "Figure", is_narrow: bool) -> None:
        shape = (len(grids), 1) if is_narrow else (1, len(grids))
        axes = fig.subplots(*shape, sharex=True, sharey=True, squeeze=False).ravel()
        for i, (ax, grid) in enumerate(zip(axes, grids, strict=True)):
            stage, _, label = STYLES.get(grid.name, (grid.name, "-", grid.name))
            filled = ax.contourf(grid.x, grid.y, grid.loss.T, levels, colors=shades)
            inside = levels[(levels > grid.loss.min()) & (levels < grid.loss.max())]
            if len(inside):  # Matplotlib warns of a surface that crosses no level
                ax.contour(grid.x, grid.y, grid.loss.T, inside, colors=PAPER, linewidths=0.5)
            ax.plot([0], [0], "+", color=stage_colour(stage, i), markersize=10, mew=2)
            ax.set_title(label.partition(" weights")[0], fontsize=11, color=stage_colour(stage, i))
            ax.set_aspect("equal")
            if not is_narrow or i == len(grids) - 1:
                ax.set_xlabel("first direction", fontsize=10)
            if is_narrow or i == 0:
                ax.set_ylabel("second direction", fontsize=10)
        bar = fig.colorbar(filled, ax=list(axes), shrink=0.8, pad=0.02, format="%.2f")
        bar.set_label("loss")

    return chart(draw, path, wide=(7.2, 2.7), narrow=9.0)
