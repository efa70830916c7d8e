"""The top of the page: large numbers, what they mean in one sentence, and the table of stages."""

import math
import shlex
from pathlib import Path

from data_tools.counted import counted
from tervit_np.analysis import html
from tervit_np.analysis.report.results import Result, Results, is_quantized, weights_in_words
from tervit_np.analysis.sizes import sizes, ternarity
from tervit_np.analysis.style import INK
from tervit_np.deploy import can_be_packed
from tervit_np.models import Classifier

MEANINGS = {
    "untrained": "at the start of the stage: its quantizers, and the weights of the stage before",
    "loss": "mean cross-entropy on the test pictures",
    "paper's size": "2 bits for a ternary weight, 8 for every other parameter, nothing for scales",
    "size as stored": "of a packed file: a ternary weight 1.6 bits, scales and the rest float32",
    "zeros": "fraction of the ternary weights that are 0",
}


def summary(results: Results) -> list[str]:
    """Return tiles, sentences and table."""
    return [
        html.tiles(_tiles(results)),
        html.paragraph(meaning(results), "lead"),
        html.paragraph(_budget(results), "soft"),
        *_missing(results),
        *_table(results),
    ]


def _tiles(results: Results) -> list[html.Tile]:
    last, only = results.last, len(results.stages) == 1
    first, start = results.stages[0], results.record(last).start_accuracy
    tiles = []
    if only:
        words = f"before training{_origin(results)}"
        tiles.append(html.Tile(_percent(start), words, results.colour(last.name), hollow=True))
    else:
        tiles.append(_trained(results, first))
    if results.rounded is not None:
        words = f"rounded to {weights_in_words(last.model)}, not trained"
        accuracy = _percent(results.rounded.evaluation.accuracy)
        tiles.append(html.Tile(accuracy, words, results.colour(last.name), hollow=True))
    tiles.append(_trained(results, last))
    return [*tiles, _file_size(last.model)]


def _file_size(model: Classifier) -> html.Tile:
    """Return the tile of the size as a file: a packed one, where the quantizers have that form."""
    size = sizes(model)
    if is_quantized(model) and can_be_packed(model):
        words = f"as a file, {size.float32 / size.stored:.3g} times smaller than float32"
        return html.Tile(bytes_text(size.stored), words, INK)
    reason = ": its quantizers have no packed form" if is_quantized(model) else ""
    return html.Tile(bytes_text(size.float32), f"as a file, float32{reason}", INK)


def _trained(results: Results, result: Result) -> html.Tile:
    """Return the tile of a stage."""
    weights = weights_in_words(result.model)
    words = "float weights" if weights == "float" else f"weights of {weights}"
    accuracy = _percent(result.evaluation.accuracy)
    return html.Tile(accuracy, f"{result.name}: {words}, trained", results.colour(result.name))


def meaning(results: Results) -> str:
    """Say in one sentence what the large numbers mean."""
    last, rounded = results.last, results.rounded
    if len(results.stages) == 1:
        epochs = _epochs(results.record(last).epochs)
        return (
            f"{_percent(last.evaluation.accuracy)} of {_test_pictures(results)} are "
            f"classified correctly after {epochs} of training as {last.name}{_origin(results)}."
        )
    first = results.stages[0]
    change = 100 * (last.evaluation.accuracy - first.evaluation.accuracy)
    if rounded is None:
        return (
            f"After all stages {_percent(last.evaluation.accuracy)} of "
            f"{_test_pictures(results)} are classified correctly, {_beside(change, first.name)}."
        )
    lost = 100 * (first.evaluation.accuracy - rounded.evaluation.accuracy)
    regained = 100 * (last.evaluation.accuracy - rounded.evaluation.accuracy)
    words = weights_in_words(last.model)
    cost = f"costs {lost:.1f} points of accuracy" if lost >= 0.05 else "costs no accuracy here"
    if lost < 0.05:
        effect = f"training with them ends {_beside(change, first.name)}"
    elif regained < 0.05:
        effect = "training with the rounded weights wins nothing back"
    elif change < -0.05:
        effect = f"training with the rounded weights wins {regained:.1f} of them back"
    else:
        more = f" and adds {change:.1f}" if change >= 0.05 else ""
        effect = f"training with the rounded weights wins them back{more}"
    return f"Rounding the weights to {words} {cost}; {effect}."


def _beside(change: float, name: str) -> str:
    """Compare with a model, by percentage points."""
    if abs(change) < 0.05:
        return f"level with the {name} model"
    return f"{abs(change):.1f} points {'above' if change > 0 else 'below'} the {name} model"


def _budget(results: Results) -> str:
    """Say how exact the numbers are, and how unequal the budgets."""
    text = (
        f"Accuracy on {_test_pictures(results)}: one percentage point is "
        f"{_count_of_one_percent(results)}, {_chance(results.last)}."
    )
    if len(results.stages) == 1:
        return text
    first = results.record(results.stages[0])
    total = sum(stage.epochs for stage in results.run.stages)
    source = results.run.stages[-2].name
    note = f" The rounded weights are those of the {source} stage." if results.rounded else ""
    return (
        f"{text}{note} The stages follow one another: the {first.name} model was trained for "
        f"{_epochs(first.epochs)}, the {results.last.name} model for {_epochs(total)} in all, so "
        "this page does not compare them at equal budgets."
    )


def _chance(result: Result) -> str:
    """Say how far chance moves an accuracy, also where all or none are right."""
    evaluation = result.evaluation
    if 0 < evaluation.accuracy < 1:
        return f"and chance alone moves it by about {100 * evaluation.error:.1f} points"
    low, high = (f"{100 * end:.1f}" for end in evaluation.interval)
    return f"and the 95 % interval of the {result.name} model is {low} to {high} %"


def _count_of_one_percent(results: Results) -> str:
    pictures = len(results.readable) / 100
    return "one picture or less" if pictures < 1.5 else f"{pictures:.0f} pictures"


def _test_pictures(results: Results) -> str:
    return counted(len(results.readable), "test picture")


def _epochs(epochs: float) -> str:
    return "one epoch" if epochs == 1 else f"{epochs:g} epochs"


def _origin(results: Results) -> str:
    """Say which weights a run began with, as far as its command shows it.

    The command of a run from Python may be any text, also with a single quotation mark.
    """
    try:
        words = shlex.split(results.run.config["command"])
    except ValueError:
        words = []
    if words[:2] != ["tervit", "train"]:
        return ""
    for i, word in enumerate(words):
        if word.startswith("--weights="):
            return f", beginning with {Path(word.partition('=')[2]).name}"
        if word == "--weights" and i + 1 < len(words):
            return f", beginning with {Path(words[i + 1]).name}"
    return " from random weights"


def _missing(results: Results) -> list[str]:
    """Say what is missing in the run's folder, and so on the page."""
    run = results.run
    missing = [f"{file} is missing." for file in results.missing]
    if run.damaged or any(stage.seconds is None for stage in run.stages):
        missing.append("metrics.jsonl has lost lines: curves and times are incomplete.")
    return [html.paragraph(" ".join(missing))] if missing else []


def _table(results: Results) -> list[str]:
    head = ["model", "test accuracy", *MEANINGS]
    rows = []
    for result in results.stages:
        name, model, evaluation = result
        size, ternary = sizes(model), ternarity(model)
        rows.append(
            [
                name,
                evaluation.accuracy_text(),
                _percent(results.record(result).start_accuracy),
                f"{evaluation.loss:.3f}",
                bytes_text(size.paper),
                bytes_text(size.stored) if can_be_packed(model) else "no packed form",
                "" if ternary is None else f"{100 * ternary.sparsity:.0f} %",
            ]
        )
    colours = [results.colour(result.name) for result in results.stages]
    legend = (
        "± is the binomial standard error. Untrained: at the start of the stage, with its "
        "quantizers. The paper's size counts 2 bits for a ternary weight, 8 for every other "
        "parameter and nothing for scales; the size as stored is that of a packed file. Zeros: "
        "fraction of the ternary weights that are 0."
    )
    ternary = ternarity(results.last.model)
    if ternary is not None:
        legend += f" {100 * ternary.fraction:.1f} % of the block weights are ternary."
    table = html.table(head, rows, colours, MEANINGS)
    return [table, html.details("What the columns mean", html.paragraph(legend, "soft"))]


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def bytes_text(count: int) -> str:
    """Write a number of bytes as MB or kB."""
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{math.ceil(count / 1e3)} kB"
