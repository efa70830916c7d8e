"""The loss over two random directions, as contours on one scale."""

from pathlib import Path
from typing import Any

import numpy as np

from tervit_np.analysis.style import figure, save, stage_colour
from tervit_np.analysis.surfaces.directions import Grid2D
from tervit_np.analysis.surfaces.figures.lines import STYLES


def draw_grids(grids: tuple[Grid2D, ...], path: Path) -> Path:
    """Draw all surfaces with the same levels; write the PNG.

    Levels are geometric above the lowest loss, so that the valley is resolved too.
    """
    low = min(float(g.loss.min()) for g in grids)
    high = max(float(g.loss.max()) for g in grids)
    levels = low + (high - low) * np.geomspace(0.01, 1, 11)
    levels = np.concatenate([[low], levels])
    with figure(8.6, 3.5) as fig:
        axes = fig.subplots(1, len(grids), sharey=True, squeeze=False)[0]
        for i, (ax, grid) in enumerate(zip(axes, grids, strict=True)):
            stage, _, label = STYLES.get(grid.name, (grid.name, "-", grid.name))
            filled = ax.contourf(grid.x, grid.y, grid.loss.T, levels, cmap="cividis",
                                 norm=_power(low, high))  # fmt: skip
            ax.contour(grid.x, grid.y, grid.loss.T, levels, colors="white", linewidths=0.5)
            ax.plot([0], [0], "+", color="white", markersize=9)
            ax.set_title(label.replace(", ", "\n"), fontsize=11, color=stage_colour(stage, i))
            ax.set_aspect("equal")
            ax.set_xlabel("first direction", fontsize=10)
        axes[0].set_ylabel("second direction", fontsize=10)
        bar = fig.colorbar(filled, ax=list(axes), shrink=0.8, pad=0.02, format="%.2f")
        bar.set_label("loss")
        return save(fig, path)


def _power(low: float, high: float) -> Any:
    from matplotlib.colors import PowerNorm

    return PowerNorm(0.4, low, high)
