"""Figures of chapter 03."""

import numpy as np
from tervit_lesson import COLOURS, figure, show

BLUE, RED, GREY, INK = COLOURS[0], COLOURS[1], "#7F7F7F", "#222222"


def circle(
    rows: np.ndarray, normed: np.ndarray, upstream: np.ndarray, dx: np.ndarray
) -> None:
    """Draw rows of three numbers, all (N, 2), in the plane of centred rows."""
    with figure(5.4, 5.6) as fig:
        ax = fig.subplots()
        turn = np.linspace(0, 2 * np.pi, 200)
        radius = np.sqrt(3)
        ax.plot(radius * np.cos(turn), radius * np.sin(turn), color="#B8B8B8")
        for start, end in zip(rows, normed, strict=True):
            ax.plot(*zip(start, end, strict=True), ":", color=GREY, lw=1.2)
        arrow = {"angles": "xy", "scale_units": "xy", "scale": 1}
        ax.quiver(*rows.T, *upstream.T, color=BLUE, width=0.008, **arrow)
        ax.quiver(*rows.T, *dx.T, color=RED, width=0.008, **arrow)
        ax.plot(*normed.T, "o", color=GREY, markersize=5)
        ax.plot(*rows.T, "o", color=INK, markersize=7)
        far, near = 3, 4
        words = [
            ("a row, centred", rows[far], (-4, -18), "center", INK),
            ("its LayerNorm,\non the circle", normed[0], (9, -4), "left",
             GREY),
            ("g, the same\nfor all", rows[near] + upstream[near], (8, -14),
             "left", BLUE),
            ("dx: around the\ncircle only", rows[near],
             (10, -4), "left", RED),
        ]  # fmt: skip
        for text, at, shift, side, colour in words:
            ax.annotate(
                text,
                at,
                shift,
                textcoords="offset points",
                ha=side,
                color=colour,
            )
        ax.set(aspect="equal", xlim=(-3.3, 3.1), ylim=(-3.0, 3.9))
        ax.set_axis_off()
        show(fig, "03_circle")


def variance(
    means: np.ndarray, one_pass: np.ndarray, two_pass: np.ndarray
) -> None:
    """Draw the error of two ways to compute a variance in float32."""
    with figure(5.8, 3.4) as fig:
        ax = fig.subplots()
        ax.loglog(means, one_pass, "o-", color=RED)
        ax.loglog(means, two_pass, "o-", color=BLUE)
        ax.text(30, 3e-2, "read once", color=RED, ha="right")
        ax.text(300, 3e-7, "read twice", color=BLUE)
        ax.axhline(1, color="#B8B8B8", zorder=0)
        ax.text(1, 1.4, "nothing is left", fontsize=9, color="#666666")
        ax.set_xlabel("mean of the row (its variance is 1)")
        ax.set_ylabel("relative error of v, float32")
        show(fig, "03_variance")
