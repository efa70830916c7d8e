"""The loss over a plane of two random directions, as contours on one scale."""

from pathlib import Path
from typing import Any

import numpy as np

from tervit_np.analysis.style import figure, save, stage_colour
from tervit_np.analysis.surfaces.directions import Sheet
from tervit_np.analysis.surfaces.figures.lines import STYLES


def draw_sheets(sheets: tuple[Sheet, ...], path: Path) -> Path:
    """Draw each surface with the same levels, so that rings compare; write the PNG.

    Levels follow a geometric series above the lowest loss: the walls do not drown the valley.
    """
    low = min(float(s.loss.min()) for s in sheets)
    high = max(float(s.loss.max()) for s in sheets)
    levels = low + (high - low) * np.geomspace(0.01, 1, 11)
    levels = np.concatenate([[low], levels])
    with figure(8.6, 3.5) as fig:
        axes = fig.subplots(1, len(sheets), sharey=True, squeeze=False)[0]
        for i, (ax, sheet) in enumerate(zip(axes, sheets, strict=True)):
            stage, _, words = STYLES.get(sheet.name, (sheet.name, "-", sheet.name))
            filled = ax.contourf(sheet.x, sheet.y, sheet.loss.T, levels, cmap="cividis",
                                 norm=_power(low, high))  # fmt: skip
            ax.contour(sheet.x, sheet.y, sheet.loss.T, levels, colors="white", linewidths=0.5)
            ax.plot([0], [0], "+", color="white", markersize=9)
            ax.set_title(words.replace(", ", "\n"), fontsize=11, color=stage_colour(stage, i))
            ax.set_aspect("equal")
            ax.set_xlabel("first direction", fontsize=10)
        axes[0].set_ylabel("second direction", fontsize=10)
        bar = fig.colorbar(filled, ax=list(axes), shrink=0.8, pad=0.02, format="%.2f")
        bar.set_label("loss")
        return save(fig, path)


def _power(low: float, high: float) -> Any:
    from matplotlib.colors import PowerNorm

    return PowerNorm(0.4, low, high)
