"""Write the report of a run: report.html, its numbers as JSON and its charts as PNG files."""

import json
from collections.abc import Callable
from pathlib import Path

from data_tools import LabelledSet
from data_tools.terminal import note
from tervit_np.analysis import html
from tervit_np.analysis.report.classes import class_accuracies, class_order, classes_section
from tervit_np.analysis.report.confusion import confusion_section
from tervit_np.analysis.report.curves import draw_curves
from tervit_np.analysis.report.ending import next_steps, provenance
from tervit_np.analysis.report.layers import layers_section, measure_layers
from tervit_np.analysis.report.numbers import FILE, numbers
from tervit_np.analysis.report.pictures import examples, looks, mistakes
from tervit_np.analysis.report.recovery import draw_recovery
from tervit_np.analysis.report.results import Results, gather
from tervit_np.analysis.report.summary import summary
from tervit_np.analysis.report.weights import draw_weights, ternary_layer, ternary_layers
from tervit_np.analysis.run_record import read_run
from tervit_np.analysis.surfaces.section import surface_section
from tervit_np.files import write_text


def write_report(out_dir: str | Path, test: LabelledSet, *, threads: int = 1) -> Path:
    """Draw every figure of a run and write the page; return its path.

    Raises
    ------
    ValueError
        If the folder contains no run, no finished stage, or damaged files.
    """
    run = read_run(out_dir)
    results = gather(run, test, threads)
    classes, layers = class_accuracies(results), measure_layers(results)
    order = class_order(results, classes)
    stages = ", ".join(result.name for result in results.stages)
    title = f"{_without_folder(run.config['data']['name'])}: {stages}"
    sections: list[Callable[[], list[str]]] = [
        lambda: classes_section(results, classes, order),
        lambda: examples(results, order),
        lambda: _recovery(results),
        lambda: _training(results),
        lambda: layers_section(results, layers),
        lambda: _weights(results),
        lambda: confusion_section(results),
        lambda: mistakes(results),
        lambda: looks(results),
        lambda: surface_section(run.folder.path),
    ]
    body = [html.heading(title, 1), *summary(results)]
    for section in sections:
        body += _unless_it_fails(section)
    body += [*next_steps(results), *provenance(results)]
    write_text(run.folder.path / FILE, json.dumps(numbers(results, classes, layers), indent=1))
    file = run.folder.path / "report.html"
    write_text(file, html.document(f"tervit: {title}", body))
    return file


def _without_folder(data: str) -> str:
    """Shorten "folder:/home/me/birds@32" to "folder:birds@32"."""
    kind, colon, path = data.partition(":")
    return f"{kind}{colon}{Path(path).name}"


def _unless_it_fails(section: Callable[[], list[str]]) -> list[str]:
    """Make a section.  -> its pieces, or why there are none.

    The page is written after long training: one figure must not prevent it.
    """
    try:
        return section()
    except (ValueError, OSError, ImportError) as error:
        note(f"the report lacks a figure: {error}")
        return [html.paragraph(f"A figure is missing here: {error}")]


def _recovery(results: Results) -> list[str]:
    stages = results.run.stages
    if len(stages) == 1:
        return []
    return [
        html.heading("The drop and the recovery"),
        html.chart(
            draw_recovery(stages, results.run.folder.path / "recovery.png"),
            "Test accuracy before (hollow) and after (filled) each stage.",
        ),
    ]


def _training(results: Results) -> list[str]:
    run = results.run
    points = "points: the test split, before and after a stage"
    lines = f"line: the validation split; {points}" if run.evaluations else points
    return [
        html.heading("Training"),
        html.chart(
            draw_curves(run, run.folder.path / "curves.png"),
            "Above, the loss of the training batches, with augmentation and label smoothing, and "
            f"its centred mean. Below, the accuracy ({lines}).",
        ),
    ]


def _weights(results: Results) -> list[str]:
    model = results.last.model
    if not ternary_layers(model):
        return []
    return [
        html.heading("Where the ternary weights come from"),
        html.chart(
            draw_weights(model, results.run.folder.path / "weights.png"),
            f"Latent weights of six channels of {ternary_layer(model)}, from the smallest to the "
            "largest threshold Δ. Grey weights, between the dotted lines at ±Δ, become 0; green "
            "ones become \N{MINUS SIGN}α or α, the solid lines.",
        ),
    ]
