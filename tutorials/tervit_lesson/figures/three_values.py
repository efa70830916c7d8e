"""Figures of chapter 12: three values."""

import numpy as np
from tervit_lesson import figure, show, stage_colour

TERNARY = stage_colour("ternary")
GREY, DARK = "#8A8A8A", "#444444"
MARKS = {"uniform": GREY, "Gaussian": TERNARY, "Laplace": DARK}


def thresholds(factors, curves, best):
    """Draw the error over the threshold, for three distributions."""
    with figure(7.2, 3.8) as fig:
        ax = fig.subplots()
        ax.axvline(0.7, color=GREY, linestyle=":", linewidth=1)
        ax.text(0.69, 0.47, "0.7", ha="right", color="#666666")
        for name, curve in curves.items():
            ax.plot(factors, curve, color=MARKS[name])
            ax.plot(*best[name], "o", color=MARKS[name])
            ax.text(0.02, curve[0] + 0.008, name, color=MARKS[name])
        ax.set_xlabel("threshold / mean|w|")
        ax.set_ylabel("relative squared error")
        ax.set_ylim(0, 0.54)
        show(fig, "12_thresholds")


def rows(examples):
    """Draw a quiet and a loud row with their own and the common threshold."""
    with figure(7.2, 3.4) as fig:
        axes = fig.subplots(1, 2, sharey=True)
        bins = np.linspace(-8, 8, 81)
        for ax, (name, row) in zip(axes, examples.items(), strict=True):
            weights, own, common, zeros = row
            ax.hist(weights, bins, color="#C9C9C9")
            for sign in -1, 1:
                ax.axvline(sign * own, color=TERNARY)
                ax.axvline(sign * common, color=DARK, linestyle="--")
            ax.set_title(f"a {name} row: {zeros:.0f} % become 0")
            ax.set_xlabel("weight")
        axes[0].set_ylabel("how many")
        axes[1].text(1.7, 25, "its own\nthreshold", color=TERNARY)
        axes[0].text(1.0, 25, "the matrix's\nthreshold", color=DARK)
        show(fig, "12_rows")


def trained(names, table, gaussian):
    """Draw the error of each trained matrix, by three rules."""
    looks = [("o", DARK, 8), ("o", TERNARY, 6), ("_", "black", 9)]
    with figure(7.2, 4.0) as fig:
        ax = fig.subplots()
        ax.axhline(gaussian, color=GREY, linestyle=":", linewidth=1)
        end = len(names) - 0.7
        ax.text(end, gaussian + 0.004, "Gaussian rows", ha="right")
        for (name, errors), (mark, colour, size) in zip(
            table.items(), looks, strict=True
        ):
            ax.plot(errors, mark, color=colour, label=name, markersize=size)
        ax.set_xticks(range(len(names)), names, rotation=60, ha="right")
        ax.tick_params(axis="x", labelsize=9)
        ax.set_ylabel("relative squared error")
        ax.set_ylim(0, 0.22)
        ax.legend(loc="lower left", fontsize=10)
        show(fig, "12_trained")


def error_and_accuracy(errors, accuracies, chance):
    """Draw the accuracy of each rule over the error of its weights."""
    lower = ("matrix", "channel, BitNet's rule")
    with figure(7.2, 4.0) as fig:
        ax = fig.subplots()
        for name, error in errors.items():
            accuracy = accuracies[name]
            ax.plot(error, accuracy, "o", color=TERNARY)
            if name == "channel":
                continue  # its label would cover that of the exact rule
            label = "channel; exact" if name == "channel, exact" else name
            at_end = error > 0.7 or name == lower[1]
            x = error + (-0.012 if at_end else 0.012)
            y = accuracy - (4 if name in lower else -1)
            ax.text(x, y, label, ha="right" if at_end else "left", fontsize=10)
        ax.axhline(chance, color=GREY, linestyle=":", linewidth=1)
        ax.text(0.84, chance - 4, "guessing", color="#666666", ha="right")
        ax.set_xlim(-0.01, 0.85)
        ax.set_ylim(0, 85)
        ax.set_xlabel("relative squared error of the weights, mean of 16")
        ax.set_ylabel("test accuracy, %")
        show(fig, "12_accuracy")
