"""Figures of chapter 13."""

from collections.abc import Sequence

import numpy as np
from tervit_lesson import figure, show, stage_colour

INK, GREY = "#444444", "#8A8A8A"


def paths(paths: dict[str, list[tuple[str, int, float]]], start: float):
    """Draw accuracy over steps, one panel for each way, words on the curves.

    `paths` has (stage, step, accuracy in percent) of each way, `start` is the
    accuracy of the float model that all begin from.
    """
    with figure(7.2, 3.4) as fig:
        axes = fig.subplots(1, len(paths), sharey=True)
        for ax, (way, points) in zip(axes, paths.items(), strict=True):
            ax.axhline(start, color=GREY, ls=":", lw=1)
            for name in dict.fromkeys(point[0] for point in points):
                steps, heights = np.array(
                    [p[1:] for p in points if p[0] == name]
                ).T
                colour = stage_colour(name)
                ax.plot(steps, heights, ".-", color=colour)
                at = 2 + len(steps) // 2 if len(steps) > 5 else len(steps) // 2
                ax.annotate(
                    name,
                    (steps[at], heights[at - 2 : at + 3].min()),
                    (0, -18),
                    textcoords="offset points",
                    color=colour,
                    ha="center",
                )
            ax.set_title(way)
            ax.set_xlabel("step")
        axes[0].set_ylabel("validation accuracy (%)")
        show(fig, "13_paths")


def seeds(
    panels: dict[str, dict[str, Sequence[float]]], start: dict[str, float]
):
    """Draw every run as a point, in one panel for each measure.

    `panels` has {label of the axis: {way: one number for each seed}}, the
    first way on top; `start` has the float model's number for each panel.
    """
    with figure(7.2, 2.9) as fig:
        axes = fig.subplots(1, len(panels), sharey=True)
        for ax, (label, ways) in zip(axes, panels.items(), strict=True):
            for y, (way, values) in enumerate(ways.items()):
                kind = "float" if way == "float" else "ternary"
                ax.plot(
                    values,
                    [y] * len(values),
                    "o",
                    color=stage_colour(kind),
                    alpha=0.6,
                )
                ax.plot(np.mean(values), y, "|", color=INK, markersize=18)
            ternary = [
                values for way, values in ways.items() if way != "float"
            ]
            ax.plot(ternary, range(len(ternary)), color=GREY, lw=0.6, zorder=0)
            ax.axvline(start[label], color=stage_colour("float"), ls=":", lw=1)
            ax.set_xlabel(label)
        axes[0].set_yticks(range(len(ways)), list(ways))
        axes[0].set_ylim(len(ways) - 0.5, -0.5)
        show(fig, "13_seeds")


def intervals(means: np.ndarray, margins: np.ndarray):
    """Draw intervals around the true value 0; mark those that miss it."""
    with figure(7.2, 2.6) as fig:
        ax = fig.subplots()
        misses = np.abs(means) > margins
        for miss, colour in (False, GREY), (True, "#D55E00"):
            chosen = np.flatnonzero(misses == miss)
            ax.errorbar(
                chosen,
                means[chosen],
                yerr=margins[chosen],
                fmt="o",
                ms=3,
                lw=1.2,
                color=colour,
            )
        ax.axhline(0, color=INK, lw=1)
        ax.set_ylim(-6, 6)
        ax.set_xlim(-1, len(means) + 5)
        ax.set_xticks([])
        ax.set_xlabel("forty comparisons of three seeds each")
        ax.set_ylabel("mean ± margin, in\nstandard deviations")
        ax.text(len(means) - 0.3, 0.3, "true value")
        show(fig, "13_intervals")


def choices(differences: Sequence[float], mean: float, margin: float):
    """Draw the difference of each seed, and their mean with its interval."""
    with figure(6.0, 2.4) as fig:
        ax = fig.subplots()
        ax.axvline(0, color=GREY, lw=1)
        for seed, value in enumerate(differences):
            colour = stage_colour("ternary") if value > 0 else INK
            ax.plot(value, 1, "o", color=colour)
            ax.annotate(
                f"seed {seed}",
                (value, 1),
                (0, 8 + 12 * (seed % 2)),
                textcoords="offset points",
                ha="center",
                fontsize=9,
                color=colour,
            )
        ax.errorbar(mean, 0, xerr=margin, fmt="o", color=INK, capsize=3)
        ax.set_yticks([0, 1], ["mean,\n95 % interval", "each seed\nalone"])
        ax.set_ylim(-0.6, 1.9)
        ax.set_xlabel("progressive minus direct, points of test accuracy")
        show(fig, "13_choices")
