"""The wrong predictions with the highest probability."""

from pathlib import Path

import numpy as np

from data_tools import LabelledSet
from data_tools.wordnet import in_words
from tervit_np.analysis.style import figure, save
from tervit_np.arrays import Array
from tervit_np.losses import log_softmax

COLUMNS, ROWS = 6, 2


def draw_mistakes(images: LabelledSet, logits: Array, path: Path) -> Path | None:
    """Draw the most probable wrong predictions; write the PNG, or return None if all are right."""
    probabilities = np.exp(log_softmax(logits))
    predicted = logits.argmax(axis=1)
    wrong = np.flatnonzero(predicted != images.labels)
    if len(wrong) == 0:
        return None
    surest = wrong[np.argsort(-probabilities[wrong, predicted[wrong]])][: COLUMNS * ROWS]
    names = in_words(images.classes)
    with figure(7.2, 1.75 * -(-len(surest) // COLUMNS)) as fig:
        axes = fig.subplots(-(-len(surest) // COLUMNS), COLUMNS, squeeze=False).flatten()
        for ax in axes:
            ax.axis("off")
        for ax, i, picture in zip(axes, surest, images.pixels(surest)[0], strict=False):
            ax.imshow(picture)
            guess, truth = names[predicted[i]], names[images.labels[i]]
            percent = 100 * probabilities[i, predicted[i]]
            ax.set_title(f"{guess} {percent:.0f} %\nis {truth}", fontsize=9, loc="center")
        return save(fig, path)
