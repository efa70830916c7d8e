"""`tervit train`: a preset, or stages of your own, into a run folder with a report."""

import argparse
import re
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tervit_np.models import Classifier
    from tervit_np.train import Recipe, RunArguments, Stage

EXAMPLES = """examples:
  tervit train                                   the embedded data set, two minutes, with a report
  tervit train --data cifar10                    the preset for CIFAR-10 (see `tervit data`)
  tervit train --stages float:20,ternary:10      direct, without the 8-bit stage
  tervit train --stages float:16,int8:2,int4:2,ternary:8@1e-3 --teacher float
  tervit train --resume runs/shapes              continue after Ctrl-C, to the same bits
  tervit train --data imagenet:~/imagenette --weights deit_tiny_patch16_224 --stages ternary:3

A stage is PLAN:EPOCHS or PLAN:EPOCHS@LEARNING_RATE; plans are float, int8, ternary,
ternary-layer (one interval and scale for a whole matrix) and intN."""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "train",
        help="train float, 8-bit and ternary, and write a report",
        description="Train a model through a list of stages and write a report.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data", default="shapes", help="data set, and the preset of that name (default: shapes)"
    )
    parser.add_argument("--model", help="model name; see tv.list_models() (default: the preset's)")
    parser.add_argument("--weights", help="start from these: a file, a run, or an official name")
    parser.add_argument("--window", type=int, help="window of a Swin (default: the model's)")
    parser.add_argument("--freeze", help="pattern of parameters that keep their values")
    parser.add_argument("--stages", help="comma-separated PLAN:EPOCHS[@LR] (default: the preset's)")
    parser.add_argument("--out", help="run folder (default: a new one in runs/)")
    parser.add_argument("--resume", metavar="RUN", help="continue the run in this folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="threads (default: all cores)")
    parser.add_argument("--workers", type=int, help="decoding processes (default: all cores)")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--accumulate", type=int, help="parts in which a thread takes its batch")
    parser.add_argument("--recompute", action="store_true", help="less memory, blocks run twice")
    parser.add_argument("--validation", type=int, help="images held out of the training split")
    parser.add_argument("--teacher", help="distil every later stage from this stage's model")
    parser.add_argument("--drop-path", type=float, help="stochastic depth at the last block")
    parser.add_argument("--mixup", type=float, help="mixup's alpha")
    parser.add_argument("--cutmix", type=float, help="cutmix's alpha")
    parser.add_argument("--randaugment", type=int, metavar="N", help="random operations an image")
    parser.add_argument("--label-smoothing", type=float)
    parser.add_argument("--weight-decay", type=float)
    parser.add_argument("--ema", type=float, help="decay of the weights' moving average")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, write the report, print the accuracies."""
    began = time.monotonic()
    from tervit_np import train
    from tervit_np.analysis.report.writing import write_report
    from tervit_np.environment import usable_cores
    from tervit_np.train.folder import RunFolder

    if args.resume is None:
        setup, out = _new(args)
    else:
        setup, out = (
            train.run_arguments_from(RunFolder(args.resume).read_request()),
            Path(args.resume),
        )
    resume = args.resume is not None
    try:
        results = train.run(
            setup.model,
            setup.stages,
            setup.data,
            out,
            resume,
            recipe=setup.recipe,
            seed=setup.seed,
            threads=setup.threads,
            workers=usable_cores() if args.workers is None else args.workers,
            quiet=args.quiet,
            command=setup.command,
        )
    except OSError as error:
        if not (out / "run.json").exists():
            raise
        advice = f"make room and continue with `tervit train --resume {out}`"
        raise OSError(f"{error}; {advice}") from None
    page = write_report(out, setup.data.test, threads=setup.threads)
    RunFolder(out).log(kind="run", seconds=round(time.monotonic() - began, 1))
    print(f"report: {page}")
    print("test accuracy: " + "  ".join(f"{r.stage} {100 * r.accuracy:.1f}" for r in results))
    return 0


def _new(args: argparse.Namespace) -> "tuple[RunArguments, Path]":
    """Make everything for a new run.  -> the arguments of train.run, its folder."""
    from tervit_np import train
    from tervit_np.cli.models import thread_count
    from tervit_np.train.folder import free_folder

    preset = train.preset_for(args.data)
    stages = list(preset.stages) if args.stages is None else parse_stages(args.stages, preset)
    stages = _taught(stages, args.teacher)
    if args.freeze:
        stages = [replace(stage, freeze=args.freeze) for stage in stages]
    validation = preset.validation if args.validation is None else args.validation
    data = train.load_data(args.data, validation, args.seed)
    config = preset.config | {"image_size": data.train.size}
    if args.drop_path is not None:
        config |= {"drop_path": args.drop_path}
    if args.window is not None:
        config |= {"window": args.window}
    config |= {"num_classes": len(data.train.classes)}
    setup = train.RunArguments(
        _model(args, preset.model, config),
        stages,
        data,
        _recipe(preset.recipe, args),
        args.seed,
        thread_count(args.threads),
        shlex.join(["tervit", *sys.argv[1:]]),
    )
    if args.out:
        return setup, Path(args.out)
    return setup, free_folder(Path("runs"), re.sub(r"[^\w.-]+", "-", args.data))


def _model(args: argparse.Namespace, preset: str, config: dict[str, Any]) -> "Classifier":
    """Make a new model, or start from weights, which may need a new head or other positions."""
    from tervit_np.checkpoints import load_checkpoint, pretrained, transfer
    from tervit_np.checkpoints.official import find_weights
    from tervit_np.cli.models import model_file
    from tervit_np.models import CONFIGS, create_model

    if args.weights is None:
        return create_model(args.model or preset, seed=args.seed, **config)
    file = find_weights(args.weights) if args.weights in CONFIGS else model_file(args.weights, None)
    if args.model is None:
        model, changes = pretrained(file, seed=args.seed, **config)
    else:
        model = create_model(args.model, seed=args.seed, **config)
        changes = transfer(model, load_checkpoint(file))
    for change in changes:
        print(f"{file.name}: {change}", file=sys.stderr)
    return model


def parse_stages(text: str, preset: Any) -> "list[Stage]":
    """Read `float:20,int8:2,ternary:8@1e-3`; a rate not given is the preset's for that plan.

    Raises
    ------
    ValueError
        If a part is not PLAN:EPOCHS[@LR].
    """
    from tervit_np.train import Stage

    rates = {stage.plan: stage.lr for stage in preset.stages}
    stages = []
    for part in text.split(","):
        plan, colon, rest = part.strip().partition(":")
        epochs, _, rate = rest.partition("@")
        try:
            lr = float(rate) if rate else rates.get(plan, preset.stages[-1].lr)
            stage = Stage(_stage_name(plan), plan, float(epochs), lr=lr)
        except ValueError as error:
            if not colon or "could not convert" in str(error):
                what = f"--stages: {part!r} is not PLAN:EPOCHS or PLAN:EPOCHS@LR"
                raise ValueError(what) from None
            raise
        stages.append(stage)
    return stages


def _stage_name(plan: str) -> str:
    return f"{plan[3:]}-bit" if plan.startswith("int") else plan


def _taught(stages: "list[Stage]", teacher: str | None) -> "list[Stage]":
    """Let every stage after the teacher's learn from it."""
    if teacher is None:
        return stages
    names = [stage.name for stage in stages]
    if teacher not in names:
        raise ValueError(f"--teacher {teacher!r} is none of the stages: {', '.join(names)}")
    first = names.index(teacher) + 1
    return [replace(s, teacher=teacher) if i >= first else s for i, s in enumerate(stages)]


def _recipe(recipe: "Recipe", args: argparse.Namespace) -> "Recipe":
    """Override the preset's recipe by the options given."""
    names = {"mixup": "mixup", "cutmix": "cutmix", "randaugment": "randaugment_ops"}
    given = {field: getattr(args, name) for name, field in names.items()}
    augment = replace(recipe.augment, **{k: v for k, v in given.items() if v is not None})
    fields = ("batch_size", "label_smoothing", "weight_decay", "ema", "accumulate")
    own: dict[str, Any] = {"recompute": args.recompute}
    own |= {name: getattr(args, name) for name in fields if getattr(args, name) is not None}
    return replace(recipe, augment=augment, **own)
