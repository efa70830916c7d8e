"""Confusion matrix: how often a model predicts one class for another."""

from pathlib import Path

import numpy as np

from tervit_np.analysis.style import figure, save
from tervit_np.arrays import Array

MAX_CLASSES = 20  # more could not be read


def confusion_matrix(labels: Array, predicted: Array, classes: int) -> Array:
    """Count pairs.  -> integers (true class, predicted class)."""
    counts = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


def draw_confusion(labels: Array, predicted: Array, classes: tuple[str, ...], path: Path) -> Path:
    """Draw the confusion matrix in percent of each true class; write the PNG.

    Of more than 20 classes it shows the 20 with the most errors.
    """
    counts = confusion_matrix(labels, predicted, len(classes))
    errors = counts.sum(axis=1) - np.diag(counts)
    shown = np.sort(np.argsort(-errors, kind="stable")[:MAX_CLASSES])
    percent = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    percent = percent[np.ix_(shown, shown)]
    names = [classes[i] for i in shown]
    size = 2.6 + 0.36 * len(names)
    with figure(max(size, 4.6), max(size - 0.6, 4.0)) as fig:
        ax = fig.subplots()
        ax.imshow(percent, cmap="Greens", vmin=0, vmax=100)
        for (i, j), value in np.ndenumerate(percent):
            if value >= 0.5:
                colour = "white" if value > 55 else "#222222"
                ax.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=8.5, color=colour)
        ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
        ax.set_yticks(range(len(names)), names)
        ax.set_xlabel("predicted")
        ax.set_ylabel("true class, row = 100 %")
        for side in ax.spines.values():
            side.set_visible(False)
        return save(fig, path)
