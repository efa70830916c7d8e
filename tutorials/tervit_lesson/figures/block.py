"""Figures of chapter 06: the GELU, and stacks of 24 blocks."""

import numpy as np
from tervit_lesson import COLOURS, figure, show

INK, GREY = "#222222", "#8A8A8A"


def gelu(x, y, slope):
    """Draw the GELU, its derivative, and the ReLU in grey."""
    with figure(5.8, 3.2) as fig:
        ax = fig.subplots()
        ax.axhline(0, color="#D9D9D9", linewidth=0.8, zorder=0)
        ax.plot(x, np.maximum(x, 0), color=GREY, linestyle="--", lw=1.2)
        ax.plot(x, y, color=COLOURS[0])
        ax.plot(x, slope, color=COLOURS[1])
        ax.plot(x[y.argmin()], y.min(), "o", color=COLOURS[0], markersize=5)
        ax.text(-0.75, -0.24, "-0.75", color=COLOURS[0], ha="center", va="top")
        ax.text(2.45, 2.75, "GELU", color=COLOURS[0], ha="right")
        ax.text(0.85, 0.35, "ReLU", color=GREY)
        ax.text(
            4, 0.72, "derivative of the GELU", color=COLOURS[1], ha="right"
        )
        ax.set_ylim(-0.6, 3.2)
        ax.set_xlim(-4, 4)
        ax.set_xlabel("x")
        ax.set_ylabel("GELU and its derivative")
        show(fig, "06_gelu")


def stacks(differences, sizes):
    """Draw, over the blocks, how different tokens are and how large."""
    colours = {
        "pre-norm": COLOURS[0],
        "post-norm": COLOURS[2],
        "no sums": COLOURS[1],
        "no norms": GREY,
    }
    with figure(7.4, 3.6) as fig:
        left, right = fig.subplots(1, 2)
        for name, colour in colours.items():
            left.semilogy(np.maximum(differences[name], 1e-16), color=colour)
            right.semilogy(sizes[name], color=colour)
        left.text(24, 2.2, "pre-norm", color=COLOURS[0], ha="right")
        left.text(12, 3e-3, "post-norm", color=COLOURS[2], ha="center")
        left.text(12, 2e-4, "no norms", color=GREY, ha="center")
        left.text(6, 1e-13, "no sums", color=COLOURS[1])
        left.set_ylim(1e-17, 30)
        left.set_title("difference between tokens")
        right.text(15, 400, "no norms", color=GREY, ha="right")
        right.text(20, 4.5, "pre-norm", color=COLOURS[0], ha="right")
        right.text(20, 1.15, "post-norm", color=COLOURS[2], ha="right")
        right.text(20, 0.62, "no sums", color=COLOURS[1], ha="right")
        right.set_title("size of their numbers")
        for ax in (left, right):
            ax.set_xlabel("blocks")
            ax.set_xticks(range(0, 25, 6))
        show(fig, "06_stacks")
