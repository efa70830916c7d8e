"""Three tiny models, as of a finished run, and their surfaces."""

from tervit_np.analysis.surfaces.measure import measure
from tervit_np.analysis.surfaces.results import Settings
from tervit_np.analysis.surfaces.runner import Runner

STAGES = {"float": "float", "8-bit": "8-bit", "ternary": "ternary"}


def settings(grid=5):
    return Settings(
        "folder:x", "train", 40, 0, grid, STAGES, "tervit surface r", 1.5, {"numpy": "2"}
    )


def tiny_models(tiny):
    """Return a float, an 8-bit and a ternary model with slightly different weights."""
    plans = {"float": "float", "8-bit": "int8", "ternary": "ternary"}
    models = {name: tiny(plan, depth=2) for name, plan in plans.items()}
    for i, model in enumerate(models.values()):
        for _, param in model.named_params():
            param.data *= 1 + 0.02 * i
    return models


def measured(tiny, sample, runner=None):
    return measure(tiny_models(tiny), *sample, settings(), runner or Runner())
