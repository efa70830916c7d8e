"""The pictures of a report: examples of each class, wrong predictions, where the model looks."""

import numpy as np

from data_tools import normalise
from tervit_np.analysis import html
from tervit_np.analysis.attention import LEAST_STRONG, attention_map, overlay
from tervit_np.analysis.report.results import Results
from tervit_np.arrays import Array
from tervit_np.losses import log_softmax

EXAMPLES, MAX_CLASSES = 6, 10  # pictures of a class; classes
MISTAKES = 12
LOOKED_AT = 6


def examples(results: Results, order: Array) -> list[str]:
    """Show some test pictures of each class, in this order."""
    chosen = order[:MAX_CLASSES]
    rows = []
    for label in chosen if len(order) > MAX_CLASSES else np.sort(chosen):
        of_class = results.readable[results.labels == label][:EXAMPLES]
        pixels, readable = results.test.pixels(of_class)
        rows.append(html.strip(results.classes[label], list(pixels[readable])))
    few = f" of the {MAX_CLASSES} classes that come first there" if len(order) > MAX_CLASSES else ""
    return [html.details(f"Test pictures{few}", "".join(rows))]


def mistakes(results: Results) -> list[str]:
    """Show the wrong predictions of the last model with the highest probability."""
    rows, names = results.readable, results.classes
    predicted, labels = results.predicted(results.last), results.labels
    probabilities = np.exp(log_softmax(results.last.evaluation.logits[rows]))
    wrong = np.flatnonzero(predicted != labels)
    if len(wrong) == 0:
        return []
    surest = wrong[np.argsort(-probabilities[wrong, predicted[wrong]])][:MISTAKES]
    pixels, _ = results.test.pixels(rows[surest])
    words = [
        f"{names[predicted[i]]} {100 * probabilities[i, predicted[i]]:.0f} %\nis {names[labels[i]]}"
        for i in surest
    ]
    return [
        html.heading("Most probable mistakes"),
        html.paragraph(
            f"The wrong predictions of the {results.last.name} model that it gives the highest "
            f"probability, {len(surest)} of {len(wrong):,}; below each, what it is."
        ),
        html.pictures(list(pixels), words),
    ]


def looks(results: Results) -> list[str]:
    """Show where the models that the page compares look."""
    rows = results.readable
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, LOOKED_AT).astype(int))]
    test = results.test
    pixels, _ = test.pixels(rows)
    images = normalise(pixels, test.mean, test.std)
    maps = {result.name: attention_map(result.model, images) for result in results.shown}
    strongest = max(LEAST_STRONG, *(float(each.max()) for each in maps.values()))
    strips = [html.strip("picture", list(pixels), large=True)]
    for name, each in maps.items():
        tinted = [overlay(p, a, strongest) for p, a in zip(pixels, each, strict=True)]
        strips.append(html.strip(name, tinted, large=True))
    return [
        html.heading("Where the model looks"),
        *strips,
        html.paragraph(
            "Orange: the attention that each patch receives in the last block, mean over heads, by "
            "the class token or, without one, by all tokens. The scale is a square root: full "
            f"orange is {strongest:.1f} times uniform attention, half as orange a quarter of that.",
            "soft",
        ),
    ]
