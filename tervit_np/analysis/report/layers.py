"""The error that rounding leaves in each layer, before the last stage and after it."""

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_tools import normalise
from tervit_np.analysis import html
from tervit_np.analysis.layer_errors import GAUSSIAN, LayerError, layer_errors
from tervit_np.analysis.report.results import Results, is_quantized, is_ternary
from tervit_np.analysis.style import FAINT, PAPER, SOFT
from tervit_np.analysis.svg import Chart, chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SAMPLE = 64  # test pictures
_BLOCK = re.compile(r"(?:layers\.\d+\.)?blocks\.\d+\.(?:attn|mlp)\.(qkv|proj|fc1|fc2)")
MEANINGS = {
    "weights": "|ŵ - w| / |w|: the length of what rounding changes, by the length of the weights",
    "output": "|ŷ - y| / |y|: the same for the layer's output, on the inputs without any rounding",
}


def measure_layers(results: Results) -> dict[str, list[LayerError]]:
    """Measure the rounded model, if there is one, and the last one.  -> {name: errors}."""
    if not is_quantized(results.last.model):
        return {}
    rows = results.readable[:: max(len(results.readable) // SAMPLE, 1)][:SAMPLE]
    test = results.test
    pixels, readable = test.pixels(rows)
    images = normalise(pixels[readable], test.mean, test.std)
    models = [*([results.rounded] if results.rounded else []), results.last]
    return {result.name: layer_errors(result.model, images) for result in models}


def layers_section(results: Results, errors: dict[str, list[LayerError]]) -> list[str]:
    """Describe, draw and list the errors of all layers."""
    if not errors:
        return []
    head = ["layer"]
    for name in errors:
        head += [f"{_word(results, name)}: {what}" for what in MEANINGS]
    rows = [
        [each[0].layer, *(f"{100 * v:.1f} %" for error in each for v in error[1:])]
        for each in zip(*errors.values(), strict=True)
    ]
    meanings = {title: MEANINGS[title.rpartition(": ")[2]] for title in head[1:]}
    names = dict.fromkeys(_kinds(next(iter(errors.values()))))
    pieces = [
        html.heading("What rounding does to each layer"),
        html.paragraph(describe(results, errors)),
        html.details("Numbers of all layers", html.table(head, rows, (), meanings)),
    ]
    if names:
        caption = (
            "Each layer rounded alone: above, how far its weights move, as a fraction of their "
            "length; below, how far its output moves, on the inputs it has without any rounding. "
            "Blocks from the first to the last."
        )
        if is_ternary(results.last.model):
            caption += " Dotted: the least error of three values for a normal distribution."
        path = results.run.folder.path / "layers.png"
        pieces.insert(2, html.chart(draw_layers(results, errors, path), caption))
    return pieces


def describe(results: Results, errors: dict[str, list[LayerError]]) -> str:
    """Name the layer whose output changes most, and say what training does to the errors."""
    first, last = next(iter(errors.values())), errors[results.last.name]
    worst = max(first, key=lambda error: error.output)
    text = (
        f"Rounded alone, the layer {worst.layer} changes its output most: by "
        f"{100 * worst.output:.0f} % of its length, its weights by {100 * worst.weight:.0f} %."
    )
    if is_ternary(results.last.model):
        text += (
            f" Three values leave an error of at least {100 * GAUSSIAN:.0f} % in weights from a "
            "normal distribution, and less where weights are spread more evenly."
        )
    if len(errors) == 1:
        return text
    before, after = (100 * np.mean([e.output for e in each]) for each in (first, last))
    change = f"from {before:.0f} % to {after:.0f} %"
    if round(before) == round(after):
        effect = f"leaves the mean error of the outputs at {after:.0f} %"
    elif after < before:
        return f"{text} Training makes the mean error of the outputs smaller, {change}."
    else:
        effect = f"does not make the mean error of the outputs smaller: it goes {change}"
    return (
        f"{text} Training {effect}. What it lowers is the loss of the rounded weights, not their "
        "distance from the unrounded ones."
    )


def draw_layers(results: Results, errors: dict[str, list[LayerError]], path: Path) -> Chart:
    """Draw a column for each kind of layer, weights above, outputs below; write the PNG."""
    kinds = list(_kinds(next(iter(errors.values()))))
    ternary = is_ternary(results.last.model)
    highest = max(value for each in errors.values() for error in each for value in error[1:])
    if ternary:
        highest = max(highest, GAUSSIAN)

    def draw(fig: "Figure", is_narrow: bool) -> None:
        rows, columns = (2 * (-(-len(kinds) // 2)), 2) if is_narrow else (2, len(kinds))
        axes = fig.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for ax in axes.flat:
            ax.set_visible(False)
        for i, kind in enumerate(kinds):
            top, column = (2 * (i // 2), i % 2) if is_narrow else (0, i)
            for row, what in enumerate(MEANINGS):
                ax = axes[top + row, column]
                ax.set_visible(True)
                _panel(ax, results, errors, kind, what)
                ax.set_title(f"{kind}: {what}", fontsize=11)
                if ternary and what == "weights":
                    ax.axhline(100 * GAUSSIAN, color=SOFT, linewidth=1, linestyle=":", zorder=0)
            if column == 0:
                for ax in axes[top : top + 2, 0]:
                    ax.set_ylabel("error (%)")
            axes[top + 1, column].set_xlabel("block")
            axes[top + 1, column].tick_params(labelbottom=True)
        axes[0, 0].set_ylim(0, 115 * highest)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside upper left", ncols=2)

    return chart(draw, path, wide=(7.2, 3.9), narrow=1.7 * 2 * (-(-len(kinds) // 2)) + 0.4)


def _panel(
    ax: "Axes", results: Results, errors: dict[str, list[LayerError]], kind: str, what: str
) -> None:
    """Draw the errors of one kind of layer over the blocks."""
    field = "weight" if what == "weights" else "output"
    colour = results.colour(results.last.name)
    for name, each in errors.items():
        values = [100 * getattr(error, field) for error in _kinds(each)[kind]]
        trained = name == results.last.name
        ax.plot(range(1, len(values) + 1), values, "o-" if trained else "o--",
                color=colour if trained else FAINT, mfc=colour if trained else PAPER,
                mec=colour, markersize=6, label=_word(results, name))  # fmt: skip
    blocks = len(_kinds(next(iter(errors.values())))[kind])
    ax.set_xticks(_block_ticks(blocks))
    ax.set_xlim(0.5, blocks + 0.5)


def _block_ticks(blocks: int) -> list[int]:
    """Return at most seven block numbers."""
    step = -(-blocks // 6)
    return list(range(1, blocks + 1, step))


def _kinds(errors: list[LayerError]) -> dict[str, list[LayerError]]:
    """Sort the layers of blocks by their kind."""
    kinds = defaultdict(list)
    for error in errors:
        if match := _BLOCK.fullmatch(error.layer):
            kinds[match[1]].append(error)
    return kinds


def _word(results: Results, name: str) -> str:
    return f"trained as {name}" if name == results.last.name else "not trained"
