"""Training curves of all stages on one axis: loss above, accuracy below."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tervit_np.analysis.run_record import RunRecord
from tervit_np.analysis.style import FAINT, stage_colour
from tervit_np.analysis.svg import Chart, chart
from tervit_np.arrays import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WINDOW = 15  # logged steps of which a point of the smooth curve is the mean


def draw_curves(run: RunRecord, path: Path) -> Chart:
    """Draw the loss of each logged step and the accuracy of each evaluation; write the PNG."""

    def draw(fig: "Figure", is_narrow: bool) -> None:
        top, bottom = fig.subplots(2, sharex=True)
        start = 0.0
        for i, name in enumerate(run.stage_names):
            steps = [s for s in run.steps if s["stage"] == name]
            if not steps:
                break
            x = np.array([s["step"] for s in steps]) / run.epoch_steps
            _loss(top, x, np.array([s["loss"] for s in steps]), stage_colour(name, i))
            _accuracy(bottom, run, name, start, float(x[-1]), stage_colour(name, i))
            if i:
                for ax in (top, bottom):
                    ax.axvline(start, color=FAINT, linewidth=1, zorder=0)
            start = float(x[-1])
        _names(top, run, start, 40 if is_narrow else 62)
        top.set_ylabel("training loss")
        bottom.set_ylabel("accuracy (%)")
        bottom.set_xlabel("epoch")
        fig.align_ylabels()

    return chart(draw, path, wide=(7.2, 4.6), narrow=5.0)


def _loss(ax: "Axes", x: Array, loss: Array, colour: str) -> None:
    ax.plot(x, loss, color=colour, alpha=0.3, linewidth=0.8)
    ax.plot(x, centred_mean(loss, WINDOW), "." if len(x) == 1 else "-", color=colour)


def _accuracy(
    ax: "Axes", run: RunRecord, stage: str, start: float, end: float, colour: str
) -> None:
    """Draw the validation split as a line, and the test split as points at the stage's ends."""
    evaluations = [e for e in run.evaluations if e["stage"] == stage]
    epochs = [e["step"] / run.epoch_steps for e in evaluations]
    ax.plot(epochs, [100 * e["accuracy"] for e in evaluations], color=colour)
    for finished in run.stages:
        if finished.name == stage:
            ends = [100 * finished.start_accuracy, 100 * finished.accuracy]
            line = "o" if evaluations else "o:"  # dotted: no evaluations between start and end
            ax.plot([start, end], ends, line, color=colour, markersize=6)


def _names(ax: "Axes", run: RunRecord, last: float, room: float) -> None:
    """Write the stages above their parts; `room` is how many letters fit into the width."""
    start, free, row = 0.0, -1.0, 0
    for i, name in enumerate(run.stage_names):
        steps = [s["step"] for s in run.steps if s["stage"] == name]
        if not steps:
            break
        end = steps[-1] / run.epoch_steps
        middle, half = (start + end) / 2, len(name) / 2 * last / room
        row = 1 - row if middle - half < free else 0  # the one before is in the way
        ax.annotate(name, (middle, 1.0), (0, 3 + 14 * row), textcoords="offset points",
                    xycoords=("data", "axes fraction"), color=stage_colour(name, i), ha="center",
                    va="bottom", fontweight="bold")  # fmt: skip
        start, free = end, middle + half


def centred_mean(values: Array, window: int) -> Array:
    """Return the mean of `window` values around each.  (N,) -> (N,).

    Near the ends the window shrinks on both sides, so that a falling curve is not shifted.
    """
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=float)])
    at = np.arange(len(values))
    half = np.minimum(np.minimum(at, at[::-1]), window // 2)
    mean: Array = (sums[at + half + 1] - sums[at - half]) / (2 * half + 1)
    return mean
