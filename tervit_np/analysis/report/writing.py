"""The report of a run: report.html and its figures as PNG files, all in the run's folder."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_tools import LabelledSet
from data_tools.wordnet import in_words
from tervit_np.analysis import page
from tervit_np.analysis.report.attention import draw_attention
from tervit_np.analysis.report.confusion import draw_confusion
from tervit_np.analysis.report.curves import draw_curves
from tervit_np.analysis.report.mistakes import draw_mistakes
from tervit_np.analysis.report.record import RunRecord, StageRecord, read_run
from tervit_np.analysis.report.recovery import draw_recovery
from tervit_np.analysis.report.weights import draw_weights, ternary_layer
from tervit_np.analysis.sizes import sizes, ternarity
from tervit_np.analysis.style import stage_colour
from tervit_np.analysis.surfaces.section import surface_section
from tervit_np.checkpoints import load_model
from tervit_np.files import write_text
from tervit_np.models import Classifier
from tervit_np.quant.plan import plan_table
from tervit_np.train.evaluate import Evaluation, evaluate
from tervit_np.train.progress import clock


class Result(NamedTuple):
    """A finished stage with its model and what the model says of the test split."""

    stage: StageRecord
    model: Classifier
    evaluation: Evaluation


def write_report(out_dir: str | Path, test: LabelledSet, *, threads: int = 1) -> Path:
    """Draw every figure of a run and write the page; return its path.

    Raises
    ------
    ValueError
        If the folder holds no run, no finished stage, or damaged files.
    """
    run = read_run(out_dir)
    if not run.stages:
        raise ValueError(f"{run.folder.path}: no stage of this run is finished, nothing to report")
    results = []
    for stage in run.stages:
        model, _ = load_model(run.folder.stage_file(stage.name))
        results.append(Result(stage, model, evaluate(model, test, threads=threads)))
    title = f"{run.request['data']['name']}: {', '.join(r.stage.name for r in results)}"
    body = [
        page.heading(title, 1),
        page.paragraph(_story(run.stages), "lead"),
        *_table(results),
        *_figures(run, results, test),
        *surface_section(run.folder.path),
        *_origin(run, results[-1].model),
    ]
    file = run.folder.path / "report.html"
    write_text(file, page.page(f"tervit: {title}", body))
    return file


def _story(stages: list[StageRecord]) -> str:
    """Tell the run in a sentence or two."""
    last = stages[-1]
    if len(stages) == 1:
        return (
            f"Trained as {last.name} from the start, the model classifies "
            f"{_percent(last.accuracy)} of the test images correctly."
        )
    before = stages[-2]
    drop = 100 * (before.accuracy - last.start_accuracy)
    change = 100 * (last.accuracy - stages[0].accuracy)
    sense = "above" if change >= 0 else "below"
    return (
        f"The {stages[0].name} model classifies {_percent(stages[0].accuracy)} of the test images "
        f"correctly. Switching to {last.name} weights without training costs {drop:.1f} points "
        f"and leaves {_percent(last.start_accuracy)}. After {last.epochs:g} epochs of training "
        f"through the rounding it reaches {_percent(last.accuracy)}, {abs(change):.1f} points "
        f"{sense} {stages[0].name}, which was trained for {stages[0].epochs:g} of all "
        f"{sum(stage.epochs for stage in stages):g} epochs."
    )


def _table(results: list[Result]) -> list[str]:
    head = [
        "model",
        "test accuracy",
        "untrained",
        "loss",
        "paper's size",
        "honest size",
        "zeros",
    ]
    rows, colours = [], []
    for i, (stage, model, evaluation) in enumerate(results):
        size, ternary = sizes(model), ternarity(model)
        rows.append(
            [
                stage.name,
                f"{100 * evaluation.accuracy:.1f} ± {100 * evaluation.error:.1f} %",
                _percent(stage.start_accuracy),
                f"{evaluation.loss:.3f}",
                _bytes(size.paper),
                _bytes(size.honest),
                "" if ternary is None else f"{100 * ternary.sparsity:.0f} %",
            ]
        )
        colours.append(stage_colour(stage.name, i))
    words = (
        f"Accuracy on {len(results[0].evaluation.logits)} test images with its binomial standard "
        "error. Untrained: with the stage's quantizers just put in. The paper's size counts "
        "2 bits for a ternary weight, 8 for every other number and nothing for scales; the honest "
        "size is what a file must hold. Zeros: share of the ternary weights that are 0."
    )
    ternary = ternarity(results[-1].model)
    if ternary is not None:
        words += f" {100 * ternary.share:.1f} % of the block weights are ternary."
    return [page.table(head, rows, colours), page.paragraph(words, "soft")]


def _figures(run: RunRecord, results: list[Result], test: LabelledSet) -> list[str]:
    """Draw all figures that the run allows.  -> pieces of the page."""
    folder, last = run.folder.path, results[-1]
    readable = last.evaluation.readable
    seen, logits = test.take(np.flatnonzero(readable)), last.evaluation.logits[readable]
    name = last.stage.name
    parts = []
    if len(results) > 1:
        drawn = draw_recovery(run.stages, folder / "recovery.png")
        parts += [
            page.heading("The drop and the recovery"),
            page.picture(drawn, "Test accuracy before (hollow) and after (full) each stage."),
        ]
    parts += [
        page.heading("Training"),
        page.picture(
            draw_curves(run, folder / "curves.png"),
            "Loss of the training batches, with augmentation and label smoothing, and accuracy.",
        ),
    ]
    if ternarity(last.model) is not None:
        layer = ternary_layer(last.model)
        parts += [
            page.heading("Where the ternary weights come from"),
            page.picture(
                draw_weights(last.model, folder / "weights.png"),
                f"Latent weights of six channels of {layer}, smallest to largest threshold.",
            ),
        ]
    models = {r.stage.name: r.model for r in (results[0], last)}
    parts += [
        page.heading("Where the model looks"),
        page.picture(
            draw_attention(models, seen, folder / "attention.png"),
            "Attention that each patch receives in the last block, mean over heads and queries.",
        ),
        page.heading("What is taken for what"),
        page.picture(
            draw_confusion(
                seen.labels,
                logits.argmax(axis=1),
                in_words(seen.classes),
                folder / "confusion.png",
            ),
            f"Confusion matrix of the {name} model in percent.",
        ),
    ]
    drawn_mistakes = draw_mistakes(seen, logits, folder / "mistakes.png")
    if drawn_mistakes is not None:
        parts += [
            page.heading("Surest mistakes"),
            page.picture(drawn_mistakes, f"Wrong answers that the {name} model is most sure of."),
        ]
    return parts


def _origin(run: RunRecord, model: Classifier) -> list[str]:
    """Say how the run was made and how to make it again."""
    request = run.request
    data, machine = request["data"], request["environment"]
    seconds = sum(stage.seconds for stage in run.stages)
    stages = ", ".join(f"{s['name']} {s['epochs']:g}" for s in request["stages"])
    facts = {
        "seed": str(request["seed"]),
        "model": f"{request['model']['parameters']:,} parameters",
        "images": f"{data['train']:,} train, {data['val']:,} validation, {data['test']:,} test",
        "epochs": stages,
        "training": f"{clock(seconds)} min on {request['threads']} threads",
        "started": request["started"],
        "software": f"tervit_np {machine['tervit_np']}, Python {machine['python']}, NumPy "
        f"{machine['numpy']}, Numba {machine['numba']}, backend {machine['backend']}",
        "machine": f"{machine['processor']}, {machine['cores']} cores, {machine['blas']}",
    }
    command = request["command"] or "tervit_np.train.run(...), called from Python"
    return [
        page.heading("How this was made"),
        page.code(command),
        page.definitions(facts),
        page.folded("quantizers of each layer", page.code(plan_table(model.quantizable()))),
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _bytes(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{np.ceil(count / 1e3):.0f} kB"
