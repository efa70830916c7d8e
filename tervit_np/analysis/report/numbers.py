"""The numbers of a report as JSON, beside the page."""

from typing import Any

import numpy as np

from tervit_np.analysis.layer_errors import LayerError
from tervit_np.analysis.report.classes import ClassAccuracies
from tervit_np.analysis.report.results import Result, Results
from tervit_np.analysis.sizes import sizes
from tervit_np.deploy import can_be_packed

FILE = "report.json"


def numbers(
    results: Results, classes: ClassAccuracies, layers: dict[str, list[LayerError]]
) -> dict[str, Any]:
    """Return accuracies, sizes, classes and layers.

    null is the accuracy of a class without pictures, and the stored size without a packed form.
    """
    every = [*results.stages, *([results.rounded] if results.rounded else [])]
    return {
        "models": [_model(result) for result in every],
        "classes": [
            {
                "class": name,
                "pictures": int(classes.pictures[i]),
                "accuracy": {
                    model: None if np.isnan(value) else round(float(value), 6)
                    for model, value in zip(classes.models, classes.accuracy[:, i], strict=True)
                },
            }
            for i, name in enumerate(results.test.classes)
        ],
        "layers": {name: [error._asdict() for error in errors] for name, errors in layers.items()},
    }


def _model(result: Result) -> dict[str, Any]:
    size = sizes(result.model)
    stored = size.stored if can_be_packed(result.model) else None
    return {
        "name": result.name,
        "accuracy": result.evaluation.accuracy,
        "loss": result.evaluation.loss,
        "pictures": int(result.evaluation.readable.sum()),
        "bytes": {"paper": size.paper, "stored": stored, "float32": size.float32},
    }
