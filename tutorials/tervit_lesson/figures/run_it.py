"""Figures of chapter 00."""

from collections.abc import Mapping, Sequence

import numpy as np
from tervit_lesson import figure, show, stage_colour

from data_tools import LabelledSet


def pictures(test: LabelledSet) -> None:
    """Draw one picture of each class."""
    with figure(7.0, 3.0) as fig:
        axes = fig.subplots(2, 5)
        for label, ax in enumerate(axes.flat):
            i = np.flatnonzero(test.labels == label)[1]
            ax.imshow(test.images[i])
            ax.set_title(test.classes[label], loc="center", fontsize=10)
            ax.set_axis_off()
        show(fig, "00_pictures")


def weights(stored: np.ndarray, used: np.ndarray) -> None:
    """Draw a corner of both matrices, and where the first row is rounded."""
    with figure(7.0, 2.9) as fig:
        axes = fig.subplots(1, 3, width_ratios=[1, 1, 1.25])
        limit = 2.2 * np.abs(stored).mean()
        for ax, matrix, name in (
            (axes[0], stored, "stored weights"),
            (axes[1], used, "what the layer uses"),
        ):
            ax.imshow(matrix[:16, :16], cmap="RdBu_r", vmin=-limit, vmax=limit)
            ax.set_title(name, loc="center", fontsize=10)
            ax.set_xlabel("16 x 16 of 256 x 64\nblue < 0 < red", fontsize=9)
            ax.set_xticks([])
            ax.set_yticks([])
        row, ternary = stored[0], used[0]
        bins = np.linspace(-1, 1, 25) * np.abs(row).max()
        axes[2].hist(row, bins, color=stage_colour("float"), alpha=0.55)
        for value in np.unique(ternary):
            axes[2].axvline(value, color=stage_colour("ternary"), lw=2.5)
        to_zero = np.abs(row[ternary == 0]).max()
        to_size = np.abs(row[ternary != 0]).min()
        for sign in (-1, 1):  # between the weights that part
            middle = sign * (to_zero + to_size) / 2
            axes[2].axvline(middle, color="#222222", ls="--", lw=1)
        axes[2].set_title("one row, 64 weights", loc="center", fontsize=10)
        axes[2].set_yticks([])
        axes[2].set_xlabel(
            "weight (green: the three values;\ndashed: where one changes to "
            "another)",
            fontsize=9,
        )
        show(fig, "00_weights")


def recovery(accuracies: Sequence[float]) -> None:
    """Draw the accuracy of the four models as bars."""
    with figure(6.0, 3.6) as fig:
        ax = fig.subplots()
        names = ["float", "8 bit", "ternary,\nuntrained", "ternary,\ntrained"]
        stages = ("float", "8-bit", "ternary", "ternary")
        colours = [stage_colour(stage) for stage in stages]
        heights = [100 * accuracy for accuracy in accuracies]
        bars = ax.bar(names, heights, color=colours, width=0.6)
        bars[2].set_alpha(0.4)
        ax.bar_label(bars, fmt="%.1f", padding=3)
        ax.axhline(10, color="#B8B8B8", linestyle=":")
        ax.set_xlim(-0.5, 4.0)
        ax.text(4, 11, "guessing", fontsize=9, color="#666666", ha="right")
        ax.set_ylim(0, 100)
        ax.set_ylabel("test accuracy (%)")
        ax.tick_params(axis="x", length=0)
        show(fig, "00_recovery")


def yours(
    large: np.ndarray,
    seen: np.ndarray,
    probabilities: Mapping[str, np.ndarray],
    classes: Sequence[str],
) -> None:
    """Draw a picture, what the model sees of it, and the probabilities."""
    with figure(7.2, 3.1) as fig:
        left, middle, right = fig.subplots(1, 3, width_ratios=[1, 1, 1.6])
        left.imshow(large)
        left.set_title("your picture", loc="center", fontsize=10)
        middle.imshow(seen)
        middle.set_title("what the model sees", loc="center", fontsize=10)
        for ax in (left, middle):
            ax.set_axis_off()
        y = np.arange(len(classes))
        best = max(p.argmax() for p in probabilities.values())
        under = -1 if best == len(classes) - 1 else 1
        for shift, (name, p) in zip(
            (-0.2, 0.2), probabilities.items(), strict=True
        ):
            colour = stage_colour(name)
            right.barh(y + shift, 100 * p, 0.4, color=colour)
            at = best + under * (1.1 if shift < 0 else 2.0)
            right.text(60, at, name, color=colour, va="center", weight="bold")
        right.set_yticks(y, classes, fontsize=9)
        right.tick_params(axis="y", length=0)
        right.invert_yaxis()
        right.set_xlim(0, 100)
        right.set_xlabel("probability (%)")
        show(fig, "00_yours")
