"""Draw the trainings of README's table: each beside a float model that was trained as long.

    python docs/make_headline.py

docs/results.json has the numbers, the presets the epochs.
"""

import json
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from tervit_np.analysis.style import FAINT, PAPER, figure, save, stage_colour
from tervit_np.train import PRESETS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOCS = Path(__file__).parent
TITLES = {  # of the commands that are drawn: title and preset
    "tervit train": ("shapes", "shapes"),
    "tervit train --data cifar10": ("CIFAR-10", "cifar10"),
    "tervit train --preset cifar10-swin": ("CIFAR-10, Swin", "cifar10-swin"),
    "tervit train --preset cifar10-long": ("CIFAR-10, long", "cifar10-long"),
    "tervit train --preset cifar10-wide": ("CIFAR-10, wide", "cifar10-wide"),
}


def draw(path: Path) -> Path:
    """Draw a panel for each training; write the PNG."""
    runs = json.loads((DOCS / "results.json").read_text(encoding="utf-8"))
    drawn: list[list[Any]] = []  # into the file, where a test finds what the picture shows
    with figure(16, 3.8) as fig:
        axes = fig.subplots(1, len(TITLES), sharey=True)
        for ax, (command, (title, preset)) in zip(axes, TITLES.items(), strict=True):
            own = [run for run in runs if run["command"] == command]
            twins = [run for run in runs if run["command"] == f"{command} --float-twin"]
            epochs = [stage.epochs for stage in PRESETS[preset].stages]
            _draw(ax, own, twins, epochs)
            drawn.append([command, epochs, *(run["stages"] for run in (*own, *twins))])
            seeds = f"{len(own)} seeds" if len(own) > 1 else "1 seed"
            ax.set_title(f"{title}, {seeds}", fontsize=11)
        axes[0].set_ylabel("test accuracy (%)")
        axes[0].set_ylim(50, 100)
        return save(fig, path, json.dumps(drawn))


def _draw(ax: "Axes", runs: list[dict], twins: list[dict], epochs: list[float]) -> None:
    """Draw means of the stages' ends over epochs, the loss by rounding, and the float twin."""
    ends = [sum(epochs[: i + 1]) for i in range(len(epochs))]
    first, second, last = ([run["stages"][i]["end"] for run in runs] for i in range(3))
    rounded = [run["stages"][2]["start"] for run in runs]
    line = {"color": FAINT, "linestyle": "--", "zorder": 0}
    ax.plot(ends[:2], [mean(first), mean(second)], **line)
    ax.plot([ends[1]] * 2, [mean(second), mean(rounded)], **line)
    arrow = {"arrowstyle": "-|>", "color": stage_colour("ternary"), "lw": 2}
    ax.annotate("", (ends[2], mean(last)), (ends[1], mean(rounded)), arrowprops=arrow)
    _point(ax, ends[0], first, "float", (-8, -2), "right", "float ")
    _point(ax, ends[1], second, "8-bit", (-2, 9), "right", "8-bit ")
    _point(ax, ends[1], rounded, "ternary", (0, -18), "center", "rounded ", hollow=True)
    _point(ax, ends[2], last, "ternary", (9, -9), "left", "ternary ")
    if twins:
        final = [run["stages"][-1]["end"] for run in twins]
        line["color"] = stage_colour("float")
        ax.plot([ends[0], ends[2]], [mean(first), mean(final)], **line)
        _point(ax, ends[2], final, "float", (9, 3), "left", "float ")
    ax.set_xlabel("epochs")
    ax.set_xlim(-0.25 * ends[2], 1.5 * ends[2])
    ax.set_xticks([0, *ends[::2]])


def _point(
    ax: "Axes",
    epoch: float,
    values: list[float],
    stage: str,
    offset: tuple[float, float],
    align: str,
    words: str = "",
    hollow: bool = False,
) -> None:
    """Draw the mean of seeds and write it beside the point."""
    colour = stage_colour(stage)
    height = mean(values)
    ax.plot([epoch], [height], "o", color=PAPER if hollow else colour, markeredgecolor=colour,
            markersize=8, mew=2)  # fmt: skip
    ax.annotate(f"{words}{height:.1f}", (epoch, height), offset, textcoords="offset points",
                ha=align, fontsize=10, color=colour)  # fmt: skip


if __name__ == "__main__":
    print(f"wrote {draw(DOCS / 'headline.png').name}")
