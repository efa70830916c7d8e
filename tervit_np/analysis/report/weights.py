"""Histograms of latent weights of some output channels, with threshold and scale."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tervit_np.analysis.style import FAINT, INK, STAGE_COLOURS
from tervit_np.analysis.svg import Chart, chart
from tervit_np.arrays import Array
from tervit_np.models import Classifier
from tervit_np.quant import Ternary, TernaryTensor, ternarize

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHANNELS = 6
_ZERO, _OUTER = FAINT, STAGE_COLOURS["ternary"]


def ternary_layers(model: Classifier) -> list[str]:
    """Name the layers whose channels have a threshold and a scale each, or one for all."""
    layers = ((name, layer.weight_quant) for name, layer in model.quantizable())
    return [
        name for name, quant in layers if isinstance(quant, Ternary) and quant.packing == "ternary"
    ]


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


def fit(w: Array, quant: Ternary) -> TernaryTensor:
    """Fit codes, scales and thresholds to clip(w), as the quantizer does.  (out, in) -> them."""
    return ternarize(
        w if quant.clip is None else np.clip(w, -quant.clip, quant.clip),
        granularity=quant.granularity,
        threshold=quant.threshold,
        scale=quant.scale,
    )


def draw_weights(model: Classifier, path: Path) -> Chart:
    """Draw histograms of channels, from the smallest to the largest threshold; write the PNG."""
    layer = dict(model.quantizable())[ternary_layer(model)]
    quant = layer.weight_quant
    w = layer.weight.data.reshape(len(layer.weight.data), -1)
    fitted = fit(w, quant)
    delta = np.broadcast_to(fitted.threshold, len(w))
    alpha = np.broadcast_to(fitted.scale, len(w))
    chosen = np.argsort(delta)[np.linspace(0, len(w) - 1, CHANNELS).astype(int)]
    limit = 1.05 * max(float(np.abs(w[chosen]).max()), float(alpha[chosen].max()))

    def draw(fig: "Figure", is_narrow: bool) -> None:
        columns = 2 if is_narrow else 3
        axes = fig.subplots(CHANNELS // columns, columns, sharex=True).flat
        for ax, channel in zip(axes, chosen, strict=True):
            lines = float(delta[channel]), float(alpha[channel])
            zeros = _histogram(ax, w[channel], limit, *lines)
            ax.set_title(f"channel {channel}: {100 * zeros:.0f} % zero", fontsize=11)
        fig.supxlabel("latent weight", fontsize=11)

    return chart(draw, path, wide=(7.2, 4.0), narrow=5.2)


def _histogram(ax: "Axes", row: Array, limit: float, delta: float, alpha: float) -> float:
    """Draw the weights of a channel with threshold and scale.  -> fraction that becomes 0."""
    is_zero = np.abs(row) <= delta
    bins = np.linspace(-limit, limit, 41).tolist()
    colours = [_ZERO, _OUTER]
    ax.hist([row[is_zero], row[~is_zero]], bins, stacked=True, color=colours, histtype="stepfilled")
    for sign in (-1, 1):
        ax.axvline(sign * delta, color=INK, linewidth=1, linestyle=":")
        ax.axvline(sign * alpha, color=INK, linewidth=1.4)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    return float(is_zero.mean())
