"""Histograms of latent weights of some output channels, with threshold and scale."""

from pathlib import Path

import numpy as np

from tervit_np.analysis.style import INK, STAGE_COLOURS, figure, save
from tervit_np.models import Classifier
from tervit_np.quant import Ternary, ternarize

CHANNELS = 6
_ZERO, _OUTER = "#C9C9C9", STAGE_COLOURS["ternary"]


def ternary_layers(model: Classifier) -> list[str]:
    """Name the layers whose channels have a threshold and a scale each, or one for all."""
    layers = ((name, layer.weight_quant) for name, layer in model.quantizable())
    return [name for name, quant in layers if isinstance(quant, Ternary) and quant.packing]


def ternary_layer(model: Classifier) -> str:
    """Name one of `ternary_layers`, in the middle of the model.

    Raises
    ------
    ValueError
        If there is none.
    """
    names = ternary_layers(model)
    if not names:
        raise ValueError("no layer of this model is ternary")
    return next((n for n in names[len(names) // 2 :] if n.endswith("fc1")), names[len(names) // 2])


def draw_weights(model: Classifier, path: Path) -> Path:
    """Draw histograms of channels, from the smallest to the largest threshold; write the PNG."""
    name = ternary_layer(model)
    layer = dict(model.quantizable())[name]
    quant = layer.weight_quant
    w = layer.weight.data.reshape(len(layer.weight.data), -1)
    fitted = ternarize(
        w, granularity=quant.granularity, threshold=quant.threshold, scale=quant.scale
    )
    delta = np.broadcast_to(fitted.threshold, len(w))
    alpha = np.broadcast_to(fitted.scale, len(w))
    chosen = np.argsort(delta)[np.linspace(0, len(w) - 1, CHANNELS).astype(int)]
    with figure(7.2, 4.2) as fig:
        axes = fig.subplots(2, CHANNELS // 2, sharex=True).flat
        limit = 1.05 * max(float(np.abs(w[chosen]).max()), float(alpha[chosen].max()))
        bins = np.linspace(-limit, limit, 41)
        for ax, channel in zip(axes, chosen, strict=True):
            row, threshold = w[channel], float(delta[channel])
            is_zero = np.abs(row) <= threshold
            ax.hist([row[is_zero], row[~is_zero]], bins, stacked=True, color=[_ZERO, _OUTER])
            for sign in (-1, 1):
                ax.axvline(sign * threshold, color=INK, linewidth=1, linestyle=":")
                ax.axvline(sign * float(alpha[channel]), color=INK, linewidth=1.4)
            ax.set_title(f"channel {channel}: {100 * is_zero.mean():.0f} % zero", fontsize=10)
            ax.set_yticks([])
            ax.spines["left"].set_visible(False)
        fig.suptitle(
            f"{name}: grey becomes 0, green one of ±α; dotted ±Δ, solid ±α", fontsize=11, x=0.01,
            ha="left",
        )  # fmt: skip
        fig.supxlabel("latent weight", fontsize=11)
        return save(fig, path)
