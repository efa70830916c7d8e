"""Attention maps of the last block, one row for each model."""

from pathlib import Path

import numpy as np

from data_tools import LabelledSet, normalise
from data_tools.wordnet import in_words
from tervit_np import ops
from tervit_np.analysis.style import figure, save
from tervit_np.arrays import Array
from tervit_np.models import Classifier, Swin


def attention_map(model: Classifier, images: Array) -> Array:
    """Return how much attention each patch receives in the last block.  -> (B, side, side).

    With a class token this is its row of the attention matrix, else the mean over all rows (of a
    window, in Swin), averaged over heads. Uniform attention gives 1 everywhere.
    """
    _, cache = model.forward(images)
    if isinstance(model, Swin):
        block, probs = model.layers[-1].blocks[-1], cache.layers[-1][0][-1].attn.products[0].probs
        side = model.config.sides[-1]
        shape = (len(images), side, side, 1)
        received = ops.window_reverse(probs.mean(axis=(1, 2))[..., None], shape)
        received = ops.cyclic_shift(received, -block.shift_size).reshape(len(images), -1)
    else:
        probs = cache.blocks[-1].attn.products[0].probs  # (B, H, T, T)
        extra = model.config.extra_tokens
        queries = probs[:, :, :1] if extra else probs
        received = queries.mean(axis=(1, 2))[:, extra:]
        side = round(received.shape[1] ** 0.5)
    relative: Array = received / received.mean(axis=1, keepdims=True)
    return relative.reshape(-1, side, side)


def draw_attention(
    models: dict[str, Classifier], images: LabelledSet, path: Path, count: int = 6
) -> Path:
    """Draw images and, below them, one row of maps for each model; write the PNG."""
    indices = np.linspace(0, len(images) - 1, count).astype(int)
    chosen, _ = images.pixels(indices)
    names = in_words(images.classes)
    pixels = normalise(chosen, images.mean, images.std)
    maps = {name: attention_map(model, pixels) for name, model in models.items()}
    high = max(float(m.max()) for m in maps.values())
    with figure(7.2, 1.25 * (1 + len(maps)) + 0.3) as fig:
        axes = fig.subplots(1 + len(maps), count, squeeze=False)
        for i in range(count):
            axes[0, i].imshow(chosen[i])
            axes[0, i].set_title(names[images.labels[indices[i]]], fontsize=10, loc="center")
            for row, each in enumerate(maps.values(), start=1):
                shown = axes[row, i].imshow(each[i], cmap="cividis", vmin=0, vmax=high)
        for ax in axes.flat:
            ax.set_xticks([])
            ax.set_yticks([])
            for side in ax.spines.values():
                side.set_visible(False)
        for row, name in enumerate(["picture", *maps]):
            axes[row, 0].set_ylabel(name, fontsize=11)
        bar = fig.colorbar(shown, ax=list(axes[1:].flat), shrink=0.8, pad=0.01)
        bar.set_label("attention received\n(1 = uniform)", fontsize=9)
        return save(fig, path)
