"""The accuracy of each class: by the first model, after rounding, and after the last stage."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tervit_np.analysis import html
from tervit_np.analysis.report.results import Result, Results
from tervit_np.analysis.style import FAINT, PAPER
from tervit_np.analysis.svg import Chart, chart
from tervit_np.arrays import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_ROWS = 20  # classes in the chart
LEAST_CHANGE = 0.5  # percentage points that are worth a sentence
LETTERS = 18  # of a class name beside a row


class ClassAccuracies(NamedTuple):
    """Fractions of the pictures of each class that each model classifies correctly."""

    models: tuple[str, ...]
    accuracy: Array  # (models, classes); NaN for a class without pictures
    pictures: Array  # (classes,)


def class_accuracies(results: Results) -> ClassAccuracies:
    """Count the correct pictures of each class.  -> for each model that the page compares."""
    labels = results.labels
    count = np.bincount(labels, minlength=len(results.classes))
    rows = []
    for result in results.shown:
        correct = labels[results.predicted(result) == labels]
        right = np.bincount(correct, minlength=len(count))
        rows.append(np.where(count > 0, right / np.maximum(count, 1), np.nan))
    names = tuple(result.name for result in results.shown)
    return ClassAccuracies(names, np.array(rows), count)


def classes_section(results: Results, found: ClassAccuracies, order: Array) -> list[str]:
    """Describe and draw the accuracies of the classes."""
    names = results.classes
    rows = [
        [names[i], *(f"{100 * a:.1f} %" for a in found.accuracy[:, i]), f"{found.pictures[i]:,}"]
        for i in order
    ]
    table = html.table(["class", *found.models, "pictures"], rows)
    path = results.run.folder.path / "classes.png"
    drawn = draw_classes(results, found, order[:MAX_ROWS], path)
    caption = "Accuracy on the test pictures of each class."
    if len(order) > MAX_ROWS:
        caption += f" The {MAX_ROWS} of {len(order)} that {_comes_first(results, found)}."
    return [
        html.heading("Which classes pay"),
        html.paragraph(describe(results, found, order)),
        html.chart(drawn, caption),
        html.details(f"Numbers of all {len(order)} classes", table),
    ]


def class_order(results: Results, found: ClassAccuracies) -> Array:
    """Order the classes with pictures: first those that lose most by rounding.

    Without a rounded model, those that change most; of one model, those it knows least.
    """
    present = np.flatnonzero(found.pictures)
    accuracy = found.accuracy[:, present]
    if results.rounded is not None:
        key = accuracy[1] - accuracy[0]
    else:
        key = accuracy[0] if len(accuracy) == 1 else -np.abs(accuracy[-1] - accuracy[0])
    ordered: Array = present[np.argsort(key, kind="stable")]
    return ordered


def _comes_first(results: Results, found: ClassAccuracies) -> str:
    """Say which classes come first in `class_order`."""
    if results.rounded is not None:
        return "lose most by rounding"
    return "the model knows least" if len(found.models) == 1 else "change most"


def describe(results: Results, found: ClassAccuracies, order: Array) -> str:
    """Say which class loses most and which least, and what becomes of the worst."""
    names = results.classes
    worst, best = order[0], order[-1]
    percent = 100 * found.accuracy
    if len(found.models) == 1:
        return (
            f"The {found.models[0]} model is right on {percent[0, worst]:.0f} % of {names[worst]} "
            f"and on {percent[0, best]:.0f} % of {names[best]}."
        )
    if results.rounded is None:
        if abs(percent[-1, worst] - percent[0, worst]) < LEAST_CHANGE:
            return (
                f"From {found.models[0]} to {found.models[-1]}, no class changes by half a point."
            )
        return (
            f"From {found.models[0]} to {found.models[-1]}, {names[worst]} changes most: from "
            f"{percent[0, worst]:.0f} % to {percent[-1, worst]:.0f} %."
        )
    lost = percent[0] - percent[1]
    if lost[worst] < LEAST_CHANGE:
        return "Rounding costs no class half a point of accuracy or more."
    falls = f"{names[worst]} falls from {percent[0, worst]:.0f} % to {percent[1, worst]:.0f} %"
    if lost[worst] - lost[best] < LEAST_CHANGE:
        effect = f"Rounding hurts all classes alike: {falls}"
    else:
        effect = (
            f"Rounding does not hurt all classes alike: {falls}, {names[best]} goes from "
            f"{percent[0, best]:.0f} % to {percent[1, best]:.0f} %"
        )
    return (
        f"{effect}. After training as {found.models[-1]}, {names[worst]} has "
        f"{percent[-1, worst]:.0f} %."
    )


def draw_classes(results: Results, found: ClassAccuracies, order: Array, path: Path) -> Chart:
    """Draw a row for each class with a point for each model; write the PNG."""
    marks = [_mark(results, result) for result in results.shown]
    height = 0.7 + 0.27 * len(order)

    def draw(fig: "Figure", is_narrow: bool) -> None:
        ax = fig.subplots()
        for row, i in enumerate(order):
            values = 100 * found.accuracy[:, i]
            ax.plot([values.min(), values.max()], [row, row], color=FAINT, zorder=0)
        for values, (name, colour, filled) in zip(found.accuracy, marks, strict=True):
            label = name.partition(",")[0] if is_narrow else name
            ax.plot(100 * values[order], range(len(order)), "o", color=colour, label=label,
                    mfc=colour if filled else PAPER, markersize=8, mew=1.8)  # fmt: skip
        _axes(ax, [shortened(results.classes[i], LETTERS) for i in order])
        fig.legend(loc="outside upper left", ncols=3, handletextpad=0.1, columnspacing=1.2)

    return chart(draw, path, wide=(7.2, height), narrow=height)


def _mark(results: Results, result: Result) -> tuple[str, str, bool]:
    """Return the label, the colour and whether the marks of a model are filled."""
    if result is results.rounded:
        return "rounded, not trained", results.colour(results.last.name), False
    return f"{result.name}, trained", results.colour(result.name), True


def _axes(ax: "Axes", names: list[str]) -> None:
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.6)
    ax.set_xlim(-2, 102)
    ax.set_xlabel("correct (%)")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def shortened(name: str, letters: int) -> str:
    """Leave out the middle of a long name."""
    if len(name) <= letters:
        return name
    return f"{name[: letters - letters // 3 - 1]}…{name[-(letters // 3) :]}"
