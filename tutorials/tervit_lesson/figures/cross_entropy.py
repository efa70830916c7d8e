"""Figures of chapter 02."""

from collections.abc import Mapping

import numpy as np
from tervit_lesson import COLOURS, figure, show

GREY = "#666666"


def edge(
    below: np.ndarray, in_two_steps: np.ndarray, in_one: np.ndarray
) -> None:
    """Draw the loss in float32 where the probability becomes too small."""
    with figure(6.0, 3.6) as fig:
        ax = fig.subplots()
        some = (below >= 80) & (below <= 112)
        finite = some & np.isfinite(in_two_steps)
        ax.plot(below[some], in_one[some], color=COLOURS[0], lw=5, alpha=0.5)
        ax.plot(below[finite], in_two_steps[finite], "o-", ms=4, c=COLOURS[1])
        end = below[finite][-1]
        ax.axvline(end + 1, color=COLOURS[1], linestyle=":")
        ax.text(
            end + 1.4,
            84,
            "from here on\nthe two steps\ngive infinity",
            color=COLOURS[1],
        )
        ax.text(
            86,
            94,
            "log-sum-exp: right\neverywhere",
            color=COLOURS[0],
            ha="center",
        )
        ax.text(
            97,
            90,
            "log(softmax(z))",
            color=COLOURS[1],
            rotation=0,
            ha="center",
        )
        ax.set_xlabel("the true logit is so far below the other")
        ax.set_ylabel("loss, float32")
        show(fig, "02_edge")


def pull(
    margins: np.ndarray, by_log: np.ndarray, by_square: np.ndarray
) -> None:
    """Draw the gradient by the true logit of two losses."""
    with figure(6.0, 3.4) as fig:
        ax = fig.subplots()
        ax.axhline(0, color="#B8B8B8", zorder=0)
        ax.axvline(0, color="#B8B8B8", zorder=0)
        ax.plot(margins, by_log, color=COLOURS[0])
        ax.plot(margins, by_square, color=COLOURS[1])
        ax.text(-7.8, -0.93, "cross-entropy", color=COLOURS[0])
        ax.text(-7.8, -0.12, "squared error", color=COLOURS[1])
        ax.text(-4, 0.06, "wrong", color=GREY, ha="center")
        ax.text(4, 0.06, "right", color=GREY, ha="center")
        ax.set_ylim(-1.1, 0.2)
        ax.set_xlabel("margin: the true logit minus the other")
        ax.set_ylabel("gradient by the true logit")
        show(fig, "02_pull")


def calibration(sets: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Draw accuracy against confidence; the diagonal is calibrated."""
    with figure(5.4, 4.2) as fig:
        ax = fig.subplots()
        ax.plot([0.33, 1], [0.33, 1], color="#B8B8B8", zorder=0)
        for i, (name, (says, is_right)) in enumerate(sets.items()):
            ax.plot(says, is_right, "o-", ms=4, color=COLOURS[i])
            at = len(says) // 2
            shift = (-8, 8) if is_right[at] > says[at] + 0.02 else (10, -12)
            ax.annotate(
                name,
                (says[at], is_right[at]),
                shift,
                textcoords="offset points",
                color=COLOURS[i],
                ha="right" if shift[0] < 0 else "left",
            )
        ax.set(xlim=(0.33, 1.01), ylim=(0.33, 1.01), aspect="equal")
        ax.set_xlabel("what the model says (probability)")
        ax.set_ylabel("how often it is right")
        show(fig, "02_calibration")
