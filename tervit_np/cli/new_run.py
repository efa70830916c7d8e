"""The arguments of a new run: the preset of the data set, changed by the options."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tervit_np.cli.options import DEFAULT_SEED, command_line, thread_count
from tervit_np.cli.stage_options import check_plan_files, chosen_stages, describe_stage

if TYPE_CHECKING:
    from data_tools import LabelledSet
    from tervit_np.models import Classifier
    from tervit_np.train import Data, Recipe, RunArguments
    from tervit_np.train.presets import Preset

DEFAULT_DATA = "shapes"
_RECIPE = (
    "batch_size",
    "optimizer",
    "label_smoothing",
    "weight_decay",
    "ema",
    "precision",
    "accumulate",
    "recompute",
)
_AUGMENT = {
    "mixup": "mixup",
    "cutmix": "cutmix",
    "cutout": "cutout",
    "invert": "invert",
    "mix_until": "until",
    "alternate_flip": "alternate_flip",
    "randaugment": "randaugment_ops",
}


def arguments_from_options(args: argparse.Namespace) -> "RunArguments":
    """Return the arguments of `tervit_np.train.run` for a new run."""
    from tervit_np import train

    preset = _preset(args)
    args.data = preset.data if args.data is None else args.data
    args.seed = DEFAULT_SEED if args.seed is None else args.seed
    stages = chosen_stages(args, preset)  # before the slow load, to show a misspelling at once
    validation = preset.validation if args.validation is None else args.validation
    data = train.load_data(args.data, validation, args.seed)
    sizes = {"image_size": data.train.size, "num_classes": len(data.train.classes)}
    model = _model(args, preset.model, _config(args, preset) | sizes)
    check_plan_files(stages, model)
    arguments = train.RunArguments(
        model,
        stages,
        data,
        _recipe(args, preset.recipe),
        args.seed,
        thread_count(args.threads),
        command_line(),
    )
    if not args.quiet:
        print(_summary(args.data, data), file=sys.stderr)
    return arguments


def describe_recipe(args: argparse.Namespace) -> str:
    """Write model, stages and recipe as the options choose them, one to a line.

    On a terminal a long value continues below where it begins.
    """
    from dataclasses import asdict

    from tervit_np.cli.layout import hang, output_width

    preset = _preset(args)
    recipe = asdict(_recipe(args, preset.recipe))
    augment = recipe.pop("augment")
    seed = DEFAULT_SEED if args.seed is None else args.seed
    lines = [
        ("model", args.model or preset.model),
        *((f"model {name}", value) for name, value in _config(args, preset).items()),
        ("validation", preset.validation if args.validation is None else args.validation),
        ("seed", seed),
        *(("stage", describe_stage(stage)) for stage in chosen_stages(args, preset)),
        *recipe.items(),
        *((f"augment {name}", value) for name, value in augment.items()),
    ]
    width = output_width()
    heads = [(f"{name:<36}", str(value)) for name, value in lines]
    return "\n".join(
        head + value if width is None else hang(head, value, width) for head, value in heads
    )


def _preset(args: argparse.Namespace) -> "Preset":
    """Return the preset of --preset, or that of the data set."""
    from tervit_np import train

    if args.preset is None:
        return train.preset_for(args.data or DEFAULT_DATA)
    return train.named_preset(args.preset)


def _config(args: argparse.Namespace, preset: "Preset") -> dict[str, Any]:
    """Return what the preset and the options change in the model's configuration."""
    options = {name: getattr(args, name) for name in ("drop_path", "window")}
    return preset.config | {name: value for name, value in options.items() if value is not None}


def _summary(name: str, data: "Data") -> str:
    """Say which pictures are trained and tested on; `tervit data show` says more."""
    from data_tools.class_names import first_few
    from data_tools.counted import counted
    from data_tools.wordnet import in_words

    sizes = [_size(images) for images in (data.train, data.val, data.test) if images is not None]
    classes = data.train.classes
    shown = first_few(in_words(classes), 4)
    return f"{name}: {', '.join(sizes)} images of {counted(len(classes), 'class')}: {shown}"


def _size(images: "LabelledSet") -> str:
    held_out = f" (held out of train {images.held_out})" if images.held_out else ""
    return f"{images.split} {len(images):,}{held_out}"


def run_folder(out: str | None, data: str) -> Path:
    """Return --out, or make a new folder in runs/ named after the data set."""
    from tervit_np.train.names import file_name_from, new_folder

    return Path(out) if out else new_folder(Path("runs"), file_name_from(data))


def _model(args: argparse.Namespace, preset: str, config: dict[str, Any]) -> "Classifier":
    """Create the model, or adapt --weights to it: a new head, interpolated positions."""
    from tervit_np.checkpoints import pretrained, transfer
    from tervit_np.checkpoints.official import find_weights
    from tervit_np.checkpoints.reading import read_weights
    from tervit_np.cli.models import model_file
    from tervit_np.deploy import is_packed
    from tervit_np.models import CONFIGS, create_model

    if args.weights is None:
        return create_model(args.model or preset, seed=args.seed, **config)
    file = find_weights(args.weights) if args.weights in CONFIGS else model_file(args.weights, None)
    if is_packed(file):
        raise ValueError(
            f"{file} is a packed file: it has codes and no latent weights that could be trained; "
            "name the run that it was exported from"
        )
    if args.model is None:
        model, changes = pretrained(file, seed=args.seed, lenient=True, **config)
    else:
        model = create_model(args.model, seed=args.seed, **config)
        weights = read_weights(file, lenient=True)
        changes = weights.notes + transfer(model, weights.arrays)
    for change in changes:
        print(f"{file.name}: {change}", file=sys.stderr)
    return model


def _recipe(args: argparse.Namespace, recipe: "Recipe") -> "Recipe":
    """Return the preset's recipe, changed by the options."""
    options = {name: value for name, value in vars(args).items() if value is not None}
    augment = {field: options[name] for name, field in _AUGMENT.items() if name in options}
    changed = {name: options[name] for name in _RECIPE if name in options}
    return replace(recipe, augment=replace(recipe.augment, **augment), **changed)
