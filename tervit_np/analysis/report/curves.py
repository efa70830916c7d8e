"""Training curves of all stages on one axis: loss above, accuracy below."""

from pathlib import Path

import numpy as np

from tervit_np.analysis.run_record import RunRecord
from tervit_np.analysis.style import FAINT, figure, save, stage_colour


def draw_curves(run: RunRecord, path: Path) -> Path:
    """Draw the loss of each training step and the accuracy of each evaluation; write the PNG."""
    with figure(7.2, 4.6) as fig:
        top, bottom = fig.subplots(2, sharex=True)
        start = 0.0
        for i, name in enumerate(run.stage_names):
            colour = stage_colour(name, i)
            steps = [s for s in run.steps if s["stage"] == name]
            if not steps:
                break
            x = np.array([s["step"] for s in steps]) / run.epoch_steps
            loss = np.array([s["loss"] for s in steps])
            top.plot(x, loss, color=colour, alpha=0.25, linewidth=0.8)
            top.plot(x, _smooth(loss), "." if len(x) == 1 else "-", color=colour)
            evaluations = [e for e in run.evaluations if e["stage"] == name]
            bottom.plot(
                [e["step"] / run.epoch_steps for e in evaluations],
                [100 * e["accuracy"] for e in evaluations],
                color=colour,
            )
            finished = next((s for s in run.stages if s.name == name), None)
            if finished is not None:
                ends = [100 * finished.start_accuracy, 100 * finished.accuracy]
                line = "o" if evaluations else "o:"  # dotted: no evaluations between start and end
                bottom.plot([start, x[-1]], ends, line, color=colour, markersize=6)
            if i:
                for ax in (top, bottom):
                    ax.axvline(start, color=FAINT, linewidth=1, zorder=0)
            top.annotate(name, ((start + x[-1]) / 2, 1.0), (0, 3), textcoords="offset points",
                         xycoords=("data", "axes fraction"), color=colour, ha="center",
                         va="bottom", fontweight="bold")  # fmt: skip
            start = float(x[-1])
        top.set_ylabel("training loss")
        bottom.set_ylabel("accuracy (%)")
        bottom.set_xlabel("epoch")
        legend = "line: validation split   points: test split" if run.evaluations else "test split"
        bottom.text(0.99, 0.05, legend, transform=bottom.transAxes, ha="right", fontsize=9,
                    color="#666666")  # fmt: skip
        return save(fig, path)


def _smooth(values: np.ndarray, decay: float = 0.9) -> np.ndarray:
    """Return an exponential moving average, corrected for its start at zero."""
    smooth = np.empty(len(values))
    total = weight = 0.0
    for i, value in enumerate(values):
        total, weight = decay * total + (1 - decay) * value, decay * weight + (1 - decay)
        smooth[i] = total / weight
    return smooth
