"""Figures of chapter 15."""

import numpy as np
from tervit_lesson import COLOURS, figure, show, stage_colour

from tervit_np.analysis.surfaces.figures.stacked import stack

FLOAT, EIGHT = stage_colour("float"), stage_colour("8-bit")
TERNARY, DARK = stage_colour("ternary"), "#444444"
LINE = {"color": "#CCCCCC", "linewidth": 1, "zorder": 0}


def gaps(found):
    """Draw the loss of each kind of weights and the error of its gap."""
    with figure(7.2, 2.6) as fig:
        ax = fig.subplots()
        for y, gap in enumerate(found.gaps[::-1]):
            colour = EIGHT if gap.name == "8-bit" else TERNARY
            ax.errorbar(gap.loss, y, xerr=gap.error, fmt="o", color=colour)
        ax.axvline(found.loss, color=FLOAT)
        ax.text(found.loss + 0.01, 1.4, "float", color=FLOAT)
        ax.set_yticks(range(3), [gap.name for gap in found.gaps[::-1]])
        ax.set_ylim(-0.5, 2.5)
        ax.set_xlim(left=0)
        ax.set_xlabel(
            "loss, same latent weights; bars: ± one error of the gap"
        )
        show(fig, "15_gaps")


def stacked(plane):
    """Draw three surfaces over one plane."""
    with figure(5.2, 4.4) as fig:
        stack(fig.add_subplot(projection="3d"), plane, zoom=0.85)
        show(fig, "15_stacked")


def bowls(x, floats, eights, ternaries):
    """Draw the three losses along a random direction."""
    with figure(7.2, 3.4) as fig:
        ax = fig.subplots()
        ax.plot(x, floats, color=FLOAT, linewidth=3, alpha=0.5)
        ax.plot(x, eights, "--", color=EIGHT)
        ax.plot(x, ternaries, color=TERNARY)
        bottom, above = (loss[len(x) // 2] for loss in (floats, ternaries))
        ax.text(0.0, bottom + 0.13, "float", color=FLOAT, ha="right")
        ax.text(0.02, bottom + 0.13, "and 8-bit", color=EIGHT)
        ax.text(0.0, above + 0.15, "ternary", color=TERNARY, ha="center")
        ax.set_xlabel("x, along a random direction, in lengths of each row")
        ax.set_ylabel("loss")
        ax.set_ylim(bottom=0)
        show(fig, "15_random")


def crossing(x, as_float, as_ternary):
    """Draw both losses on the line between two solutions, with errors."""
    with figure(7.2, 3.6) as fig:
        ax = fig.subplots()
        for curve, colour in (as_float, FLOAT), (as_ternary, TERNARY):
            low, high = curve.loss - curve.error, curve.loss + curve.error
            ax.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
            ax.plot(x, curve.loss, color=colour)
        ax.text(
            1.3, as_float.loss[-1], "used as they are", color=FLOAT, ha="right"
        )
        ax.text(-0.3, as_ternary.loss[1], "rounded", color=TERNARY)
        for place, name in (0, "float solution"), (1, "ternary solution"):
            ax.axvline(place, **LINE)
            ax.text(place, 0.05, name, ha="center", color="#666666")
        ax.set_xlabel("x: latent weights (1 - x) float + x ternary")
        ax.set_ylabel("loss")
        ax.set_ylim(bottom=0)
        show(fig, "15_crossing")


def stairs(x, latent, moved, close):
    """Draw the rough and the smooth surface, and the stairs of the first."""
    with figure(7.2, 3.4) as fig:
        left, right = fig.subplots(1, 2)
        left.plot(x, latent, ".-", color=TERNARY, linewidth=1)
        left.plot(x, moved, color=DARK)
        left.margins(y=0.3)
        corner = {"transform": left.transAxes, "ha": "center"}
        text = "latent weights moved, then rounded"
        left.text(0.5, 0.93, text, color=TERNARY, fontsize=9, **corner)
        text = "rounded weights moved"
        left.text(0.5, 0.04, text, color=DARK, fontsize=9, **corner)
        left.set_ylabel("loss")
        right.step(close.x, close.loss, where="mid", color=TERNARY)
        right.ticklabel_format(axis="y", useOffset=False)
        for ax, along in (left, x), (right, close.x):
            end = along[-1]
            ax.set_title(f"within ±{end:.2g}")
            ax.set_xticks([-end, 0, end], [f"{-end:.2g}", "0", f"{end:.2g}"])
            ax.set_xlabel("x, in lengths of each row")
        show(fig, "15_stairs")


def taylor(fraction, measured, parabola):
    """Draw the loss on the way to the rounded weights and its estimate."""
    with figure(7.2, 3.4) as fig:
        ax = fig.subplots()
        ax.plot(fraction, measured, color=DARK)
        ax.plot(fraction, parabola, "--", color=COLOURS[1])
        end = np.abs(fraction - 1).argmin()
        for loss, name, colour, side in (
            (measured, "measured", DARK, ("right", 0.02)),
            (parabola, "second order", COLOURS[1], ("left", -0.02)),
        ):
            ha, gap = side
            up = 0.04 if ha == "right" else -0.12
            place = fraction[end] - gap, loss[end] + up
            ax.text(*place, name, ha=ha, color=colour)
        for place, name in (0, "float"), (1, "ternary"):
            ax.axvline(place, **LINE)
            ax.text(place, 0.03, name, ha="center", color="#666666")
        ax.set_xlabel("fraction of the rounding error that is added")
        ax.set_ylabel("loss")
        ax.set_ylim(bottom=0)
        show(fig, "15_taylor")
