"""Write the report of a run: report.html and its figures as PNG files, in the run's folder."""

import shlex
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_tools import LabelledSet
from data_tools.terminal import note
from data_tools.wordnet import in_words
from tervit_np.analysis import html
from tervit_np.analysis.report.attention import draw_attention
from tervit_np.analysis.report.confusion import draw_confusion
from tervit_np.analysis.report.curves import draw_curves
from tervit_np.analysis.report.mistakes import draw_mistakes
from tervit_np.analysis.report.recovery import draw_recovery
from tervit_np.analysis.report.weights import draw_weights, ternary_layer, ternary_layers
from tervit_np.analysis.run_record import RunRecord, StageRecord, read_run
from tervit_np.analysis.sizes import sizes, ternarity
from tervit_np.analysis.style import stage_colour
from tervit_np.analysis.surfaces.section import surface_section
from tervit_np.arrays import Array
from tervit_np.checkpoints import load_model
from tervit_np.files import write_text
from tervit_np.models import Classifier
from tervit_np.quant.plan import plan_table
from tervit_np.train.evaluate import Evaluation, evaluate
from tervit_np.train.progress import clock


class Result(NamedTuple):
    """A finished stage with its model and the model's evaluation on the test split."""

    stage: StageRecord
    model: Classifier
    evaluation: Evaluation


def write_report(out_dir: str | Path, test: LabelledSet, *, threads: int = 1) -> Path:
    """Draw every figure of a run and write the page; return its path.

    Raises
    ------
    ValueError
        If the folder contains no run, no finished stage, or damaged files.
    """
    run = read_run(out_dir)
    files = [run.folder.stage_file(stage.name) for stage in run.stages]
    if not any(file.is_file() for file in files):
        raise ValueError(f"{run.folder.path}: no stage of this run is finished, nothing to report")
    results = []
    for stage, file in zip(run.stages, files, strict=True):
        if file.is_file():
            model, _ = load_model(file)
            results.append(Result(stage, model, evaluate(model, test, threads=threads)))
    title = (
        f"{_without_folder(run.config['data']['name'])}: {', '.join(r.stage.name for r in results)}"
    )
    body = [
        html.heading(title, 1),
        html.paragraph(_story(run.stages, run.config["command"]), "lead"),
        *_losses(run, [file.name for file in files if not file.is_file()]),
        *_table(results),
        *_figures(run, results, test),
        *surface_section(run.folder.path),
        *_provenance(run, results[-1].model),
    ]
    file = run.folder.path / "report.html"
    write_text(file, html.document(f"tervit: {title}", body))
    return file


def _without_folder(data: str) -> str:
    """Shorten "folder:/home/me/birds@32" to "folder:birds@32"."""
    kind, colon, path = data.partition(":")
    return f"{kind}{colon}{Path(path).name}"


def _losses(run: RunRecord, files: list[str]) -> list[str]:
    """Say what is missing in the run's folder, and so on the page."""
    missing = [f"{file} is missing." for file in files]
    if run.damaged or any(stage.seconds is None for stage in run.stages):
        missing.append("metrics.jsonl has lost lines: curves and times are incomplete.")
    return [html.paragraph(" ".join(missing))] if missing else []


def _story(stages: list[StageRecord], command: str) -> str:
    """Summarize the run in a few sentences."""
    last = stages[-1]
    if len(stages) == 1:
        epochs = "one epoch" if last.epochs == 1 else f"{last.epochs:g} epochs"
        return (
            f"Trained for {epochs} as {last.name}{_origin(command)}, the model "
            f"classifies {_percent(last.accuracy)} of the test images correctly; before, it "
            f"classified {_percent(last.start_accuracy)}."
        )
    before = stages[-2]
    drop = 100 * (before.accuracy - last.start_accuracy)
    change = 100 * (last.accuracy - stages[0].accuracy)
    direction = "above" if change >= 0 else "below"
    return (
        f"The {stages[0].name} model classifies {_percent(stages[0].accuracy)} of the test images "
        f"correctly. Rounding to {last.name} weights without training costs {drop:.1f} points: "
        f"{_percent(last.start_accuracy)}. After {last.epochs:g} epochs of training with "
        f"{last.name} weights it reaches {_percent(last.accuracy)}, {abs(change):.1f} points "
        f"{direction} the {stages[0].name} model, which was trained for {stages[0].epochs:g} of "
        f"all {sum(stage.epochs for stage in stages):g} epochs."
    )


def _origin(command: str) -> str:
    """Say which weights a run began with, as far as its command shows it."""
    if not command:
        return ""
    words = shlex.split(command)
    for i, word in enumerate(words):
        if word.startswith("--weights="):
            return f", beginning with {Path(word.partition('=')[2]).name}"
        if word == "--weights" and i + 1 < len(words):
            return f", beginning with {Path(words[i + 1]).name}"
    return " from random weights"


def _table(results: list[Result]) -> list[str]:
    head = ["model", "test accuracy", "untrained", "loss"]
    head += ["paper's size", "size as stored", "zeros"]
    rows, colours = [], []
    for i, (stage, model, evaluation) in enumerate(results):
        size, ternary = sizes(model), ternarity(model)
        rows.append(
            [
                stage.name,
                evaluation.accuracy_text(),
                _percent(stage.start_accuracy),
                f"{evaluation.loss:.3f}",
                _bytes(size.paper),
                _bytes(size.stored),
                "" if ternary is None else f"{100 * ternary.sparsity:.0f} %",
            ]
        )
        colours.append(stage_colour(stage.name, i))
    legend = (
        f"Accuracy on {len(results[0].evaluation.logits)} test images with its binomial standard "
        "error. Untrained: at the start of the stage, with its quantizers. The paper's size counts "
        "2 bits for a ternary weight, 8 for every other parameter and nothing for scales; the size "
        "as stored is that of a packed file. Zeros: fraction of the ternary weights that are 0."
    )
    ternary = ternarity(results[-1].model)
    if ternary is not None:
        legend += f" {100 * ternary.fraction:.1f} % of the block weights are ternary."
    return [html.table(head, rows, colours), html.paragraph(legend, "soft")]


def _figures(run: RunRecord, results: list[Result], test: LabelledSet) -> list[str]:
    """Draw all figures that this run has.  -> pieces of the page."""
    folder, last = run.folder.path, results[-1]
    readable = last.evaluation.readable
    images, logits = test.take(np.flatnonzero(readable)), last.evaluation.logits[readable]
    return [
        *_training(run, folder),
        *_weights(last.model, folder),
        *_attention(results, images, folder),
        *_errors(last.stage.name, images, logits, folder),
    ]


def _picture(draw: Callable[[], Path | None], caption: str) -> list[str]:
    """Draw a figure.  -> pieces of the page: none if there is nothing to draw, or why it failed.

    The page is written after long training: one figure must not prevent it.
    """
    try:
        file = draw()
    except (ValueError, OSError, ImportError) as error:
        note(f"the report lacks a figure: {error}")
        return [html.paragraph(f"A figure is missing here: {error}")]
    return [] if file is None else [html.picture(file, caption)]


def _training(run: RunRecord, folder: Path) -> list[str]:
    curves = _picture(
        lambda: draw_curves(run, folder / "curves.png"),
        "Loss of the training batches, with augmentation and label smoothing, and accuracy.",
    )
    if len(run.stages) == 1:
        return [html.heading("Training"), *curves]
    recovery = _picture(
        lambda: draw_recovery(run.stages, folder / "recovery.png"),
        "Test accuracy before (hollow) and after (filled) each stage.",
    )
    heading = html.heading("The drop and the recovery")
    return [heading, *recovery, html.heading("Training"), *curves]


def _weights(model: Classifier, folder: Path) -> list[str]:
    if not ternary_layers(model):
        return []
    caption = (
        f"Latent weights of six channels of {ternary_layer(model)}, smallest to largest threshold."
    )
    return [
        html.heading("Where the ternary weights come from"),
        *_picture(lambda: draw_weights(model, folder / "weights.png"), caption),
    ]


def _attention(results: list[Result], images: LabelledSet, folder: Path) -> list[str]:
    """Draw the attention of the first and the last stage."""
    models = {result.stage.name: result.model for result in (results[0], results[-1])}
    return [
        html.heading("Where the model looks"),
        *_picture(
            lambda: draw_attention(models, images, folder / "attention.png"),
            "Attention that each patch receives in the last block, mean over heads and queries.",
        ),
    ]


def _errors(stage: str, images: LabelledSet, logits: Array, folder: Path) -> list[str]:
    """Draw the confusion matrix and, if there are any, the most probable mistakes."""
    predicted, names = logits.argmax(axis=1), in_words(images.classes)
    mistakes = _picture(
        lambda: draw_mistakes(images, logits, folder / "mistakes.png"),
        f"Wrong predictions of the {stage} model with the highest probability.",
    )
    return [
        html.heading("Confused classes"),
        *_picture(
            lambda: draw_confusion(images.labels, predicted, names, folder / "confusion.png"),
            f"Confusion matrix of the {stage} model in percent.",
        ),
        *([html.heading("Most probable mistakes"), *mistakes] if mistakes else []),
    ]


def _provenance(run: RunRecord, model: Classifier) -> list[str]:
    """Write the command, the data and the software of the run."""
    config = run.config
    data = config["data"]
    machine = defaultdict(lambda: "unknown", config["environment"])
    seconds = sum(stage.seconds or 0 for stage in run.stages)
    stages = ", ".join(f"{s['name']} {s['epochs']:g}" for s in config["stages"])
    facts = {
        "seed": str(config["seed"]),
        "model": f"{config['model']['parameters']:,} parameters",
        "images": f"{data['train']:,} train, {data['val']:,} validation, {data['test']:,} test",
        "epochs": stages,
        "training": f"{clock(seconds)} min on {config['threads']} threads",
        "started": config["started"],
        "software": f"tervit_np {machine['tervit_np']}, Python {machine['python']}, NumPy "
        f"{machine['numpy']}, Numba {machine['numba']}, backend {machine['backend']}",
        "machine": f"{machine['processor']}, {machine['cores']} cores, {machine['blas']}",
    }
    command = config["command"] or "tervit_np.train.run(...), called from Python"
    return [
        html.heading("How to reproduce this"),
        html.code(command),
        html.definitions(facts),
        html.details("quantizers of each layer", html.code(plan_table(model.quantizable()))),
    ]


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def _bytes(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{np.ceil(count / 1e3):.0f} kB"
