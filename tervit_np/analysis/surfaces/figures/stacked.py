"""Stacked loss surfaces in three dimensions."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tervit_np.analysis.style import FAINT, INK, stage_colour
from tervit_np.analysis.surfaces.figures.loss_range import loss_range
from tervit_np.analysis.surfaces.planes import Plane
from tervit_np.analysis.svg import Chart, chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NOTABLE_RATIO = 1.5  # of vertical scales, from which a title mentions it
PATTERNS = {"float": 0.55, "8-bit": 0.0, "ternary": 0.55}  # opacity; 0 for a wireframe


def draw_stacked(planes: dict[str, Plane], path: Path) -> Chart:
    """Draw one stack for each plane, under its name; write the PNG.

    The 8-bit surface is a wireframe, because it coincides with the float one. The titles mention
    different vertical scales; a plane alone has no title.
    """
    spans = [_span(plane) for plane in planes.values()]

    def draw(fig: "Figure", is_narrow: bool) -> None:
        rows, columns = (len(planes), 1) if is_narrow else (1, len(planes))
        for i, (title, plane) in enumerate(planes.items()):
            ax = fig.add_subplot(rows, columns, i + 1, projection="3d")
            stack(ax, plane, zoom=0.85 if is_narrow or len(planes) > 1 else 1.05)
            finer = (spans[0][1] - spans[0][0]) / (spans[i][1] - spans[i][0])
            note = f"\nvertical scale {finer:.2g} times larger" if finer >= _NOTABLE_RATIO else "\n"
            if len(planes) > 1:
                ax.set_title(title + note, fontsize=11, y=0.96, loc="left")

    wide = (7.2, 4.2) if len(planes) == 1 else (4.2 * len(planes), 3.9)
    return chart(draw, path, wide=wide, narrow=4.2 * len(planes))


def stack(ax: Any, plane: Plane, zoom: float) -> None:
    """Draw the surfaces of one plane over one another, on three-dimensional axes."""
    from matplotlib.ticker import MaxNLocator

    for i, grid in enumerate(plane.grids):
        colour, face = stage_colour(grid.name, i), PATTERNS.get(grid.name, 0.5)
        x, y = np.meshgrid(grid.x, grid.y, indexing="ij")
        if face:
            ax.plot_surface(x, y, grid.loss, color=colour, alpha=face, edgecolor=colour,
                            linewidth=0.4, rstride=1, cstride=1, shade=False)  # fmt: skip
        else:
            ax.plot_wireframe(x, y, grid.loss, color=colour, linewidth=1.1, rstride=1, cstride=1)
    low, high = _span(plane)
    ax.set_zlim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    _label(ax, plane)
    ax.set_xlabel(_block(plane.layers[0]), fontsize=10, labelpad=2)
    ax.set_ylabel(_block(plane.layers[1]), fontsize=10, labelpad=2)
    ax.set_zlabel("loss", fontsize=10, labelpad=9)
    ax.tick_params(labelsize=10, pad=0)
    ax.tick_params(axis="z", pad=3)
    ax.zaxis.set_major_locator(MaxNLocator(5))
    ax.set_xticks([-1, 0, 1])
    ax.set_yticks([-1, 0, 1])
    ax.view_init(elev=16, azim=-56)
    ax.set_box_aspect((1.15, 1.15, 0.95), zoom=zoom)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_pane_color((1, 1, 1, 0))
        axis._axinfo["grid"]["color"] = FAINT


def _label(ax: Any, plane: Plane) -> None:
    """Label the surfaces with the loss at their centres; a vertical line joins the centres."""
    for i, height in enumerate(reversed(plane.heights)):
        colour = stage_colour(height.name)
        ax.text2D(0.02, 0.93 - 0.06 * i, f"{height.name} {height.centre:.3f}", color=colour,
                  transform=ax.transAxes, fontsize=10, fontweight="bold")  # fmt: skip
    centres = [height.centre for height in plane.heights]
    ax.plot([0, 0], [0, 0], [min(centres), max(centres)], color=INK, linewidth=1.6, zorder=10)


def _span(plane: Plane) -> tuple[float, float]:
    return loss_range(grid.loss for grid in plane.grids)


def _block(layer: str) -> str:
    """Name the block whose values an axis shifts."""
    return f"shift of {layer.removesuffix('.attn.qkv.weight')}"
