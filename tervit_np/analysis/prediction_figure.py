"""What a model sees in one picture: its input, its attention, and the features of one layer."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tervit_np.analysis.attention import LEAST_STRONG, attention_heads, overlay
from tervit_np.analysis.features import Features, layer_features
from tervit_np.analysis.style import figure, save
from tervit_np.arrays import Array
from tervit_np.models import Classifier

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 6


def draw_prediction(
    model: Classifier, pixels: Array, image: Array, prediction: str, path: Path
) -> Path:
    """Draw the figure; write the PNG.

    `pixels` are the picture as the model takes it, uint8 (S, S, 3), and `image` the same
    normalised, (3, S, S).

    Raises
    ------
    ValueError
        If the model is packed.
    """
    model.require_latent_weights()
    heads = attention_heads(model, image[None])[0]
    found = layer_features(model, image)
    strongest = max(LEAST_STRONG, float(heads.max()))
    with figure(8.4, 6.8 if found.error > 0 else 5.4) as fig:
        axes = fig.subplots(4 if found.error > 0 else 3, COLUMNS)
        for ax in axes.flat:
            ax.axis("off")
        _show(axes[0, 0], pixels, "picture")
        _show(axes[0, 1], overlay(pixels, heads.mean(axis=0), strongest), "attention")
        words = axes[0, 2].text(0, 0.5, prediction, va="center", fontsize=12)
        words.set_in_layout(False)  # it may reach into the next column
        for i, head in enumerate(heads[:COLUMNS]):
            _show(axes[1, i], overlay(pixels, head, strongest), f"head {i + 1}")
        _features(axes[2:], found)
        fig.suptitle(
            f"Attention in the last block: the strongest orange is {strongest:.1f} times uniform",
            x=0.01, ha="left", fontsize=11,
        )  # fmt: skip
        fig.supxlabel(_about(found), x=0.01, ha="left", fontsize=11)
        return save(fig, path)


def _show(ax: "Axes", pixels: Array, title: str) -> None:
    ax.imshow(pixels)
    ax.set_title(title, fontsize=11)


def _features(axes: Array, found: Features) -> None:
    """Draw the channels that vary most, one a column: without rounding above, quantized below.

    There is one row of axes if nothing is quantized.
    """
    spread = found.before.std(axis=(1, 2))
    for column, channel in enumerate(np.argsort(-spread, kind="stable")[:COLUMNS]):
        pair = found.before[channel], found.after[channel]
        limit = max(float(np.abs(each).max()) for each in pair)
        for ax, each in zip(axes[:, column], pair, strict=False):
            ax.imshow(each, cmap="PuOr", vmin=-limit, vmax=limit)
        axes[0, column].set_title(f"channel {channel}", fontsize=11)
    for ax, words in zip(axes[:, 0], ("float", "quantized"), strict=False):
        ax.axis("on")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_ylabel(words)
        ax.spines[:].set_visible(False)


def _about(found: Features) -> str:
    words = f"Features of {found.layer}: purple above 0, orange below"
    if found.error == 0:
        return f"{words}. It is not quantized."
    return f"{words}.\nQuantizing this layer alone changes them by {100 * found.error:.0f} %."
