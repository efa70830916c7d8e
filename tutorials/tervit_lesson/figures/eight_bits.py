"""Figures of chapter 10: 8 bits."""

import numpy as np
from tervit_lesson import figure, show, stage_colour

EIGHT, FOUR = stage_colour("8-bit"), stage_colour("4-bit")
GREY, DARK = "#8A8A8A", "#444444"


def bits(errors, rules):
    """Draw the error over the bits, and what the rule of s^2/12 says."""
    with figure(7.2, 3.4) as fig:
        ax = fig.subplots()
        ax.semilogy(list(rules), list(rules.values()), ":", color=DARK)
        ax.semilogy(list(errors), list(errors.values()), "o", color=EIGHT)
        ax.text(4.9, errors[5] / 2, "measured", color="#B07800")
        ax.text(2.75, rules[3], "s²/12", color=DARK)
        ax.axhline(1, color=GREY, linestyle=":", linewidth=1)
        ax.text(8, 1.15, "a row of zeros", color="#666666")
        ax.set_xlim(8.2, 1.8)
        ax.set_xticks(range(2, 9))
        ax.set_xlabel("bits")
        ax.set_ylabel("relative squared error")
        show(fig, "10_bits")


def two_grids(values, grids):
    """Draw the histogram of one input, and the values of 4-bit grids."""
    top = np.abs(values).max()
    with figure(7.2, 3.8) as fig:
        ax, ticks = fig.subplots(2, sharex=True, height_ratios=[3, 1.4])
        ax.hist(values.ravel(), 120, color="#B8B8B8", log=True)
        for y, (name, levels) in enumerate(grids.items()):
            ticks.vlines(levels, -y, 0.6 - y, color=FOUR)
            ticks.text(-1.08 * top, 0.3 - y, name, ha="right", va="center")
        ticks.set_xlim(-1.05 * top, 1.08 * top)
        ticks.set_yticks([])
        ticks.spines["left"].set_visible(False)
        ticks.set_xlabel("input of the MLP's second layer")
        ax.set_ylabel("how many")
        show(fig, "10_grids")
