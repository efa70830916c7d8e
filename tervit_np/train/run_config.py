"""The configuration of a run: everything that determines its bits, and where it ran (run.json)."""

import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from data_tools import ImageSet, LabelledSet, StreamedSet
from data_tools.counted import counted
from tervit_np import __version__
from tervit_np.backends import backend_name
from tervit_np.checkpoints import npz
from tervit_np.checkpoints.own_parts import own_part
from tervit_np.environment import SAME_BITS, environment
from tervit_np.models import Classifier
from tervit_np.models.classifier import require_model
from tervit_np.train.splits import Data
from tervit_np.train.stage_checks import check_stages
from tervit_np.train.stages import Recipe, Stage

_SOFTWARE = ("tervit_np", "numpy", "numba")
_MACHINE = ("last bits", "blas", "system", "processor")
Splits = tuple[LabelledSet, LabelledSet | None, LabelledSet]  # train, validation, test


def check_run(
    model: Classifier,
    stages: Sequence[Stage],
    recipe: Recipe,
    data: Splits,
    resume: bool = False,
) -> None:
    """Check that stages, data and model fit together.

    Raises
    ------
    ValueError
        If an argument has another type, the stages do not fit the model (`check_stages`), the
        images of a split do not fit the model or the other splits, or the training images not the
        recipe or a batch.
    """
    require_model(model)
    _check_data(data)
    if not isinstance(recipe, Recipe):
        raise ValueError(f"train: recipe is {recipe!r}; expected a Recipe")
    check_stages(model, stages, resume)
    _check_teachers(model, stages)
    train = data[0]
    for images in data:
        if images is not None:
            _check_split(model, images, train)
    if len(train) < recipe.batch_size:
        raise ValueError(
            f"train: {counted(len(train), 'image')} cannot fill a batch of {recipe.batch_size}"
        )
    if recipe.augment.alternate_flip and not isinstance(train, ImageSet):
        raise ValueError(
            f"train: alternate_flip is for images in memory, and {train.name} is decoded while "
            "training; leave it out"
        )


def _check_data(data: Splits) -> None:
    """Raise ValueError unless the data are three splits, of which the second may be None.

    Batches are drawn from a set of this project; another one may be evaluated.
    """
    if not isinstance(data, tuple) or len(data) != 3:
        raise ValueError(
            f"train: data is a {type(data).__name__}; expected the splits that load_data returns"
        )
    for name, images in zip(Data._fields, data, strict=True):
        own = isinstance(images, ImageSet | StreamedSet)
        fits = own or (name != "train" and hasattr(images, "pixels"))
        if not fits and (name != "val" or images is not None):
            raise ValueError(
                f"train: the {name} split is a {type(images).__name__}; expected an ImageSet or a "
                "StreamedSet"
            )


def _check_teachers(model: Classifier, stages: Sequence[Stage]) -> None:
    """Raise ValueError if a teacher could not be read from the file of its stage."""
    taught = [stage for stage in stages if stage.teacher is not None]
    if taught and (part := own_part(model)):
        raise ValueError(
            f"stage {taught[0].name}: its teacher is read from a file, which cannot describe "
            f"{part} of this model; train without a teacher, or in a loop of your own"
        )


def _check_split(model: Classifier, images: LabelledSet, train: LabelledSet) -> None:
    """Raise ValueError if a split is empty, or has other classes or sizes than the others."""
    config, name = model.config, f"the {images.split} split of {images.name}"
    if len(images.classes) != config.num_classes:
        raise ValueError(
            f"train: {name} has {counted(len(images.classes), 'class')}, the model "
            f"{config.num_classes}"
        )
    if images.size != config.image_size:
        raise ValueError(
            f"train: {name} has {images.size}-pixel images, the model expects {config.image_size}"
        )
    if len(images) == 0:
        raise ValueError(f"train: {name} is empty")
    if tuple(images.classes) != tuple(train.classes):
        pairs = zip(images.classes, train.classes, strict=True)
        i, (own, expected) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        raise ValueError(
            f"train: class {i} is {own!r} in {name} and {expected!r} in the training images; "
            "`relabel` brings them into the same order"
        )


def make_run_config(
    model: Classifier,
    stages: Sequence[Stage],
    recipe: Recipe,
    data: Splits,
    seed: int,
    threads: int,
    command: str,
) -> dict[str, Any]:
    """Describe a run as JSON."""
    return {
        "command": command,
        "version": __version__,
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "seed": seed,
        "threads": threads,
        "backend": backend_name(),
        "model": {**npz.describe(model), "parameters": model.num_params()},
        "stages": [stage.describe() for stage in stages],
        "recipe": recipe.describe(),
        "data": _describe_data(*data),
        "environment": environment(model.dtype),
    }


def with_new_fields(run_config: dict[str, Any]) -> dict[str, Any]:
    """Add the settings of stages and recipe that a run of an earlier version lacks.

    Their defaults train as the earlier version did.
    """
    stage, recipe = Stage("any", "float", 1).describe(), Recipe().describe()
    augment = recipe["augment"] | run_config["recipe"]["augment"]
    return run_config | {
        "stages": [stage | each for each in run_config["stages"]],
        "recipe": recipe | run_config["recipe"] | {"augment": augment},
    }


def machine_changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Say in which parts of the machine that may change bits two configurations differ."""
    old, new = before["environment"], now["environment"]
    same_bits = old.get("last bits") == new["last bits"] == SAME_BITS
    changes = [
        f"{key} was {old[key]} and is now {new[key]}"
        for key in (_SOFTWARE if same_bits else _SOFTWARE + _MACHINE)
        if key in old and old[key] != new[key]
    ]
    return f"since this run began, {', '.join(changes)}" if changes else ""


def _describe_data(
    train: LabelledSet, val: LabelledSet | None, test: LabelledSet
) -> dict[str, Any]:
    drawn = {} if val is None or not val.held_out else {"held_out": val.held_out}
    return {
        "name": train.name,
        "classes": list(train.classes),
        "mean": list(train.mean),
        "std": list(train.std),
        "train": len(train),
        "val": 0 if val is None else len(val),
        "test": len(test),
        **drawn,
    }


def without_options(command: str, *left_out: str) -> str:
    """Leave options and their values out of the command of a run, "--out DIR" and "--out=DIR".

    Of the other options every value becomes a word of its own.
    """
    kept, words = list[str](), iter(shlex.split(command))
    for word in words:
        option, equals, value = word.partition("=")
        is_pair = option.startswith("--") and bool(equals)
        if option not in left_out:
            kept += [option, value] if is_pair else [word]
        elif not is_pair:
            next(words, None)
    return shlex.join(kept)
