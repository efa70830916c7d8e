"""Figures of chapter 14."""

import numpy as np
from tervit_lesson import COLOURS, figure, show

INK, GREY = "#222222", "#8A8A8A"


def confusion(by_class, classes):
    """Draw the mean probabilities of each class, the true one left blank."""
    wrong = 100 * by_class.copy()
    np.fill_diagonal(wrong, np.nan)
    with figure(6.4, 5.0) as fig:
        ax = fig.subplots()
        shown = ax.imshow(wrong, cmap="Oranges", vmin=0)
        for row, column in np.ndindex(wrong.shape):
            if row != column:
                value = wrong[row, column]
                ink = "white" if value > 0.6 * np.nanmax(wrong) else INK
                ax.text(
                    column,
                    row,
                    f"{value:.0f}",
                    ha="center",
                    va="center",
                    fontsize=9,
                    color=ink,
                )
        ax.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
        ax.set_yticks(range(len(classes)), classes)
        ax.tick_params(length=0)
        ax.set_ylabel("true class")
        ax.set_title("The teacher's mean probability of wrong classes, %")
        fig.colorbar(shown, ax=ax, shrink=0.8)
        show(fig, "14_confusion")


def temperature(image, rows, temperatures, classes):
    """Draw one picture and what the teacher says of it at each temperature."""
    with figure(8.4, 3.2) as fig:
        axes = fig.subplots(1, len(rows) + 1, width_ratios=(1.3, 1, 1, 1))
        axes[0].imshow(image)
        axes[0].set_axis_off()
        for ax, row, T in zip(axes[1:], rows, temperatures, strict=True):
            ax.barh(range(len(row)), row, color=COLOURS[0])
            ax.set_xlim(0, 1)
            ax.set_xticks([0, 0.5, 1])
            ax.invert_yaxis()
            names = classes if ax is axes[1] else [""] * len(classes)
            ax.set_yticks(range(len(classes)), names, fontsize=9)
            ax.tick_params(axis="y", length=0)
            ax.set_title(f"T = {T}")
        axes[2].set_xlabel("probability")
        show(fig, "14_temperature")


def lengths(temperatures, with_square, of_label):
    """Draw the length of the gradient over the temperature."""
    with figure(6.8, 3.6) as fig:
        ax = fig.subplots()
        without = with_square / temperatures**2
        ax.loglog(temperatures, with_square, "o-", color=COLOURS[0], ms=4)
        ax.loglog(temperatures, without, "o-", color=COLOURS[1], ms=4)
        ax.plot((1, 64), (of_label, of_label), ":", color=GREY)
        beside = {"va": "center", "color": COLOURS[0]}
        ax.text(70, 0.75 * with_square[-1], "times T squared", **beside)
        ax.text(70, without[-1], "without", va="center", color=COLOURS[1])
        ax.text(70, 1.6 * of_label, "of the labels", va="center", color=GREY)
        ticks = (1, 2, 4, 8, 16, 32, 64)
        ax.set_xticks(ticks, ticks)
        powers = (1e-4, 1e-3, 1e-2, 1e-1, 1)
        ax.set_yticks(powers, [f"{power:g}" for power in powers])
        ax.minorticks_off()
        ax.set_xlim(0.9, 400)
        ax.spines["bottom"].set_bounds(0.9, 64)
        ax.set_xlabel("temperature T")
        ax.set_ylabel("length of the gradient")
        show(fig, "14_lengths")


def record(accuracy, loss):
    """Draw accuracy and loss of all arms, a dot for each seed."""
    with figure(8.4, 3.2) as fig:
        axes = fig.subplots(1, 2, sharey=True)
        for ax, values in zip(axes, (accuracy, loss), strict=True):
            for row, (_, seeds) in enumerate(values.items()):
                colour = GREY if row == 0 else COLOURS[0]
                ax.plot(seeds, [row] * len(seeds), "o", color=colour, ms=6)
                ax.plot(np.mean(seeds), row, "|", color=colour, ms=18, mew=2.5)
            ax.axvline(
                np.mean(next(iter(values.values()))),
                color=GREY,
                linestyle=":",
                zorder=0,
            )
        axes[0].set_yticks(range(len(accuracy)), accuracy)
        axes[0].set_ylim(len(accuracy) - 0.5, -0.5)
        for ax, words in zip(
            axes, ("test accuracy (%)", "test loss"), strict=True
        ):
            ax.tick_params(axis="y", length=0)
            ax.set_xlabel(words)
        axes[0].set_title("dots: seeds; strokes: means", fontsize=10)
        show(fig, "14_record")
