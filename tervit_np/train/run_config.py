"""The request of a run as JSON: everything that determines its bits, and where it ran."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from data_tools import LabelledSet
from tervit_np import __version__
from tervit_np.backends import backend_name
from tervit_np.checkpoints.npz import describe
from tervit_np.environment import environment
from tervit_np.models import Classifier
from tervit_np.train.stages import Recipe, Stage


def make_run_config(
    model: Classifier,
    stages: Sequence[Stage],
    recipe: Recipe,
    data: tuple[LabelledSet, LabelledSet | None, LabelledSet],
    seed: int,
    threads: int,
    command: str,
) -> dict[str, Any]:
    """Describe a run; refuses what cannot be trained.

    Raises
    ------
    ValueError
        If there is no stage, names repeat, a teacher is not an earlier stage, or the data do not
        fit the model or the batch size.
    """
    train, val, test = data
    if not stages:
        raise ValueError("train: the list of stages is empty")
    names = [stage.name for stage in stages]
    if len(set(names)) < len(names):
        raise ValueError(f"train: stage names repeat: {', '.join(names)}")
    for i, stage in enumerate(stages):
        if stage.teacher is not None and stage.teacher not in names[:i]:
            raise ValueError(
                f"stage {stage.name}: its teacher {stage.teacher!r} is not an earlier stage"
            )
    if len(train.classes) != model.config.num_classes:
        raise ValueError(
            f"train: {train.name} has {len(train.classes)} classes, the model "
            f"{model.config.num_classes}"
        )
    if train.size != model.config.image_size:
        raise ValueError(
            f"train: {train.name} has {train.size}-pixel images, the model expects "
            f"{model.config.image_size}"
        )
    if len(train) < recipe.batch_size:
        raise ValueError(f"train: {len(train)} images do not fill a batch of {recipe.batch_size}")
    if threads < 1:
        raise ValueError(f"threads is {threads}; expected at least 1")
    return {
        "command": command,
        "version": __version__,
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "seed": seed,
        "threads": threads,
        "backend": backend_name(),
        "model": {**describe(model), "parameters": model.num_params()},
        "stages": [stage.describe() for stage in stages],
        "recipe": recipe.describe(),
        "data": {
            "name": train.name,
            "classes": list(train.classes),
            "mean": list(train.mean),
            "std": list(train.std),
            "train": len(train),
            "val": 0 if val is None else len(val),
            "test": len(test),
        },
        "environment": environment(),
    }
