"""Training of all stages on one axis: loss above, accuracy below."""

from pathlib import Path

import numpy as np

from tervit_np.analysis.report.record import RunRecord
from tervit_np.analysis.style import FAINT, figure, save, stage_colour


def draw_curves(run: RunRecord, path: Path) -> Path:
    """Draw the loss of the training steps and the accuracies between them; write the PNG."""
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
            top.plot(x, _smooth(loss), color=colour)
            checks = [e for e in run.evaluations if e["stage"] == name]
            bottom.plot(
                [e["step"] / run.epoch_steps for e in checks],
                [100 * e["accuracy"] for e in checks],
                color=colour,
            )
            done = next((s for s in run.stages if s.name == name), None)
            if done is not None:
                ends = [100 * done.start_accuracy, 100 * done.accuracy]
                line = (
                    "o" if checks else "o:"
                )  # without a validation split there is nothing between
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
        words = "line: validation split   points: test split" if run.evaluations else "test split"
        bottom.text(0.99, 0.05, words, transform=bottom.transAxes, ha="right", fontsize=9,
                    color="#666666")  # fmt: skip
        return save(fig, path)


def _smooth(values: np.ndarray, share: float = 0.9) -> np.ndarray:
    """Exponential average, free of the pull towards zero at its start."""
    smooth = np.empty(len(values))
    total = weight = 0.0
    for i, value in enumerate(values):
        total, weight = share * total + (1 - share) * value, share * weight + (1 - share)
        smooth[i] = total / weight
    return smooth
