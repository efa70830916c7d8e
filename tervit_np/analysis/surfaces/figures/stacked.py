"""Loss surfaces over one another in three dimensions, and how far apart they lie."""

from pathlib import Path
from typing import Any

import numpy as np

from tervit_np.analysis.style import INK, figure, save, stage_colour
from tervit_np.analysis.surfaces.planes import Plane

_TELL = 1.5  # ratio of vertical scales from which a title says so
PATTERNS = {"float": 0.55, "8-bit": 0.0, "ternary": 0.55}  # opacity of the face; 0 draws a net


def draw_stacked(planes: dict[str, Plane], path: Path) -> Path:
    """Draw one stack for each plane, titles being their names; write the PNG.

    The 8-bit surface is a net, since it lies on the float one. Vertical scales differ, which the
    titles say.
    """
    spans = [_span(plane) for plane in planes.values()]
    with figure(4.2 * len(planes), 3.9) as fig:
        for i, (title, plane) in enumerate(planes.items()):
            ax = fig.add_subplot(1, len(planes), i + 1, projection="3d")
            _stack(ax, plane)
            finer = (spans[0][1] - spans[0][0]) / (spans[i][1] - spans[i][0])
            words = f"\nvertical scale {finer:.2g} times larger" if finer >= _TELL else "\n"
            ax.set_title(title + words, fontsize=11, y=1.0, loc="left")
        return save(fig, path)


def _stack(ax: Any, plane: Plane) -> None:
    from matplotlib.ticker import MaxNLocator

    for i, sheet in enumerate(plane.sheets):
        colour, face = stage_colour(sheet.name, i), PATTERNS.get(sheet.name, 0.5)
        x, y = np.meshgrid(sheet.x, sheet.y, indexing="ij")
        if face:
            ax.plot_surface(x, y, sheet.loss, color=colour, alpha=face, edgecolor=colour,
                            linewidth=0.4, rstride=1, cstride=1, shade=False)  # fmt: skip
        else:
            ax.plot_wireframe(x, y, sheet.loss, color=colour, linewidth=1.1, rstride=1, cstride=1)
    low, high = _span(plane)
    ax.set_zlim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    _label(ax, plane)
    ax.set_xlabel(_shift(plane.layers[0]), fontsize=8, labelpad=2)
    ax.set_ylabel(_shift(plane.layers[1]), fontsize=8, labelpad=2)
    ax.set_zlabel("loss", fontsize=9, labelpad=2)
    ax.tick_params(labelsize=8, pad=0)
    ax.tick_params(axis="z", pad=3)
    ax.zaxis.set_major_locator(MaxNLocator(5))
    ax.set_xticks([-1, 0, 1])
    ax.set_yticks([-1, 0, 1])
    ax.view_init(elev=16, azim=-56)
    ax.set_box_aspect((1, 1, 0.95), zoom=0.9)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_pane_color((1, 1, 1, 0))
        axis._axinfo["grid"]["color"] = "#DDDDDD"


def _label(ax: Any, plane: Plane) -> None:
    """Name the surfaces with the height of their centres; a line joins lowest and highest."""
    for i, height in enumerate(reversed(plane.heights)):
        colour = stage_colour(height.name)
        ax.text2D(0.02, 0.93 - 0.06 * i, f"{height.name} {height.centre:.3f}", color=colour,
                  transform=ax.transAxes, fontsize=10, fontweight="bold")  # fmt: skip
    centres = [height.centre for height in plane.heights]
    ax.plot([0, 0], [0, 0], [min(centres), max(centres)], color=INK, linewidth=1.6, zorder=10)


def _span(plane: Plane) -> tuple[float, float]:
    heights = np.concatenate([sheet.loss.ravel() for sheet in plane.sheets])
    return float(heights.min()), float(heights.max())


def _shift(layer: str) -> str:
    """Say what an axis shifts: the value rows of a layer, by multiples of their mean size."""
    return f"shift of {layer.removesuffix('.attn.qkv.weight')} values\nin units of mean |w|"
