"""Confusion: which classes a model takes for which, and what rounding and training change in it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tervit_np.analysis import html
from tervit_np.analysis.report.classes import shortened
from tervit_np.analysis.report.results import Result, Results
from tervit_np.analysis.style import INK, STAGE_COLOURS
from tervit_np.analysis.svg import Chart, chart
from tervit_np.arrays import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Cell: TypeAlias = Callable[[int, int], tuple[str, str, float]]  # -> text, colour, strength
MAX_CLASSES, MAX_NARROW = 15, 10  # more could not be read
PALE = 0.5  # opacity of a cell with 100 %: the text on it stays readable
_LETTERS = 14
_MORE, _FEWER = "#D55E00", STAGE_COLOURS["float"]


def confusion_matrix(labels: Array, predicted: Array, classes: int) -> Array:
    """Count pairs.  -> integers (true class, predicted class)."""
    counts = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


def confusion_section(results: Results) -> list[str]:
    """Name the pair that is confused most, draw the matrix and its change."""
    counts = _counts(results, results.last)
    folder, last = results.run.folder.path, results.last.name
    figures = [
        html.chart(
            draw_confusion(counts, results.classes, folder / "confusion.png"),
            f"What the {last} model takes each class for, in percent of the class; in brackets, "
            "below 1 %, the number of pictures.",
        )
    ]
    first = results.shown[0]
    if first is not results.last:
        before = _counts(results, first)
        drawn = draw_change(before, counts, results.classes, folder / "confusion_change.png")
        figures.append(
            html.chart(
                drawn,
                f"The change from the {first.name} model to the {last} model, in percentage "
                "points: orange is more, blue is fewer.",
            )
        )
    if len(results.classes) <= MAX_NARROW:
        figures = [html.pair(figures)]
    return [html.heading("Confused classes"), html.paragraph(describe(results)), *figures]


def _counts(results: Results, result: Result) -> Array:
    return confusion_matrix(results.labels, results.predicted(result), len(results.classes))


def describe(results: Results) -> str:
    """Say which two classes are confused most by the last model, and how often by the others."""
    counts = _counts(results, results.last)
    if (pair := most_confused(counts)) is None:
        return f"The {results.last.name} model confuses no two classes."
    (a, b), names = pair, results.classes
    others = []
    for result in results.shown[:-1]:
        each = _counts(results, result)
        others.append(f"the {result.name} model {each[a, b] + each[b, a]}")
    total = counts[a].sum() + counts[b].sum()
    compared = f" In all, that is {counts[a, b] + counts[b, a]}; {', '.join(others)}."
    return (
        f"Most often confused are {names[a]} and {names[b]}: of their {total} pictures the "
        f"{results.last.name} model takes {counts[a, b]} of {names[a]} for {names[b]} and "
        f"{counts[b, a]} of {names[b]} for {names[a]}.{compared if others else ''}"
    )


def most_confused(counts: Array) -> tuple[int, int] | None:
    """Return the two classes with the most pictures taken for each other, the smaller first.

    None if no picture is taken for another class.
    """
    pairs = np.triu(counts + counts.T, 1)
    if not pairs.any():
        return None
    a, b = np.unravel_index(pairs.argmax(), pairs.shape)
    return int(a), int(b)


def draw_confusion(counts: Array, classes: tuple[str, ...], path: Path) -> Chart:
    """Draw a confusion matrix in percent of each true class; write the PNG.

    Of more classes than can be read it shows those that are confused most with each other.
    """
    percent = _percent(counts)

    def cell(i: int, j: int) -> tuple[str, str, float]:
        text = f"{percent[i, j]:.0f}" if percent[i, j] >= 1 else f"({counts[i, j]})"
        return text if counts[i, j] else "", STAGE_COLOURS["ternary"], percent[i, j] / 100

    return _draw(cell, counts, classes, path)


def draw_change(before: Array, after: Array, classes: tuple[str, ...], path: Path) -> Chart:
    """Draw the difference of two confusion matrices in percentage points; write the PNG."""
    change = _percent(after) - _percent(before)
    scale = max(float(np.abs(change).max()), 1.0)

    def cell(i: int, j: int) -> tuple[str, str, float]:
        value = change[i, j]
        text = f"{value:+.0f}".replace("-", "\N{MINUS SIGN}") if round(value) else ""
        return text, _MORE if value > 0 else _FEWER, abs(value) / scale

    return _draw(cell, np.abs(change), classes, path)


def _percent(counts: Array) -> Array:
    percent: Array = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return percent


def _draw(cell: Cell, weights: Array, classes: tuple[str, ...], path: Path) -> Chart:
    """Draw the cells of the classes of the largest weights; write the PNG."""

    def draw(fig: "Figure", is_narrow: bool) -> None:
        most = MAX_NARROW if is_narrow else MAX_CLASSES
        shown = _worth_showing(weights, most)
        names = [shortened(classes[i], _LETTERS) for i in shown]
        ax = fig.subplots()
        for row, i in enumerate(shown):
            for column, j in enumerate(shown):
                _cell(ax, row, column, *cell(int(i), int(j)))
        ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_yticks(range(len(names)), names)
        ax.set_xlim(-0.5, len(names) - 0.5)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.set_aspect("equal")
        ax.set_xlabel("predicted")
        ax.set_ylabel("true class")
        ax.tick_params(length=0)
        for side in ax.spines.values():
            side.set_visible(False)

    count = min(len(classes), MAX_CLASSES)
    size = max(2.4 + 0.37 * count, 4.4)
    return chart(draw, path, wide=(7.2, min(size, 7.6)), narrow=4.6)


def _worth_showing(weights: Array, most: int) -> Array:
    """Return at most `most` classes, sorted: those of the pairs with the largest weights."""
    pairs = np.triu(weights + weights.T, 1)
    chosen: dict[int, None] = {}
    for pair in np.argsort(-pairs, axis=None, kind="stable")[: most * most]:
        both = dict.fromkeys(map(int, divmod(int(pair), len(pairs))))
        if len(chosen | both) <= most:
            chosen |= both
    return np.sort(list(chosen))


def _cell(ax: "Axes", row: int, column: int, text: str, colour: str, strength: float) -> None:
    from matplotlib.patches import Rectangle

    if strength > 0:
        box = (column - 0.5, row - 0.5), 1, 1
        ax.add_patch(Rectangle(*box, facecolor=colour, alpha=PALE * strength, linewidth=0))
    if text:
        ax.text(column, row, text, ha="center", va="center", fontsize=10, color=INK)
