"""Figure of a sensitivity: each layer's rise alone, and its relief in a ternary model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_tools.terminal import printable
from tervit_np.analysis.sensitivity.measure import Effect, Sensitivity
from tervit_np.analysis.style import FAINT, INK, figure, save, stage_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# kind: stage that gives its colour, size of the dot; drawn in this order
_MARKS = {"ternary": ("ternary", 7), "4 bits": ("4-bit", 5), "8 bits": ("8-bit", 3)}


def draw_sensitivity(measured: Sensitivity, chosen: Sequence[str], path: Path) -> Path:
    """Draw a row for each layer, in the order of the network; write the PNG."""
    layers = measured.layers
    rows = range(len(layers))
    with figure(8.4, 0.25 * len(layers) + 1.5) as fig:
        alone, relief = fig.subplots(1, 2, sharey=True)
        for kind, (stage, size) in _MARKS.items():
            effects = [layer.rise[kind] for layer in layers]
            _dots(alone, effects, stage_colour(stage), size, kind)
        colours = [stage_colour("8-bit") if la.name in chosen else FAINT for la in layers]
        changes = [layer.relief.change for layer in layers]
        errors = [layer.relief.error for layer in layers]
        relief.barh(rows, changes, xerr=errors, color=colours, height=0.62,
                    error_kw={"elinewidth": 1, "ecolor": INK})  # fmt: skip
        for ax in (alone, relief):
            ax.axvline(0, color=FAINT, linewidth=1, zorder=0)
            ax.tick_params(axis="y", length=0)
        alone.set_yticks(rows, [printable(layer.name) for layer in layers], fontsize=9)
        alone.set_ylim(len(layers) - 0.4, -0.6)
        alone.set_xlabel("rise of the loss")
        alone.set_title("this layer rounded, all others float", fontsize=11)
        relief.set_xlabel("fall of the loss")
        relief.set_title("this layer in 8 bits, all others ternary", fontsize=11)
        alone.legend(loc="lower right", fontsize=9, handletextpad=0.2)
        if chosen:
            relief.text(0.98, 0.02, "orange: 8 bits in the plan", transform=relief.transAxes,
                        ha="right", va="bottom", fontsize=9)  # fmt: skip
        return save(fig, path)


def _dots(ax: "Axes", effects: list[Effect], colour: str, size: int, label: str) -> None:
    """Draw a dot with its standard error in each row."""
    changes, errors = [e.change for e in effects], [e.error for e in effects]
    ax.errorbar(changes, range(len(effects)), xerr=errors, fmt="o", color=colour, markersize=size,
                elinewidth=1, label=label)  # fmt: skip
