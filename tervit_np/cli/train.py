"""`tervit train`: a preset, or stages of your own, into a run folder with a report."""

import argparse
import time
from pathlib import Path
from typing import Any

from tervit_np.cli.options import (
    Options,
    add_quiet,
    add_seed,
    add_threads,
    add_workers,
    worker_count,
)
from tervit_np.cli.parser import CommandParser

HELP = """Train a model from float to ternary, stage by stage, and write a report."""
EXAMPLES = """\
  tervit train                                   the embedded data set, two minutes, with a report
  tervit train --data cifar10                    the preset for CIFAR-10 (see `tervit data`)
  tervit train --stages float:20,ternary:10      direct, without the 8-bit stage
  tervit train --stages float:16,int8:2,int4:2,ternary:8@1e-3 --teacher float
  tervit train --resume runs/shapes              continue after Ctrl-C, to the same bits
  tervit train --data imagenet:~/imagenette --weights deit_tiny_patch16_224 --stages ternary:3

A stage is PLAN:EPOCHS or PLAN:EPOCHS@LEARNING_RATE; plans are float, int8, ternary,
ternary-layer (one interval and scale for a whole matrix) and intN."""


def add_arguments(parser: CommandParser) -> None:
    """Declare the options, in four groups."""
    _add_model_options(parser.add_argument_group("data and model"))
    _add_stage_options(parser.add_argument_group("stages"))
    _add_recipe_options(parser.add_argument_group("recipe (default: the preset's)"))
    _add_run_options(parser.add_argument_group("the run"))


def _add_model_options(group: Options) -> None:
    group.add_argument(
        "--data",
        default="shapes",
        metavar="SET",
        help="data set; also selects the preset of that name (default: shapes)",
    )
    group.add_argument(
        "--validation", type=int, metavar="N", help="training images held out for validation"
    )
    group.add_argument(
        "--model", metavar="NAME", help="one of tv.list_models() (default: the preset's)"
    )
    group.add_argument(
        "--weights", metavar="SOURCE", help="start from a file, a run or an official model's name"
    )
    group.add_argument(
        "--window", type=int, metavar="N", help="window size of a Swin (default: the model's)"
    )
    group.add_argument(
        "--freeze", metavar="PATTERN", help="do not train parameters whose name matches this regex"
    )


def _add_stage_options(group: Options) -> None:
    group.add_argument(
        "--stages",
        metavar="LIST",
        help="comma-separated PLAN:EPOCHS or PLAN:EPOCHS@RATE (default: the preset's)",
    )
    group.add_argument(
        "--teacher", metavar="STAGE", help="distil the model of this stage into all later ones"
    )
    for name in ("--epochs", "--lr"):
        group.add_argument(name, nargs="?", action=_StagesAction, help=argparse.SUPPRESS)


class _StagesAction(argparse.Action):
    """Tells those who type an option of other trainers where ours is."""

    def __call__(self, parser: argparse.ArgumentParser, *args: Any, **options: Any) -> None:
        parser.error(
            f"there is no {self.option_strings[0]}; epochs and learning rates stand in --stages, "
            "for example --stages float:3@1e-3,ternary:2"
        )


def _add_recipe_options(group: Options) -> None:
    group.add_argument("--batch-size", type=int, metavar="N", help="images per step")
    group.add_argument("--weight-decay", type=float, metavar="X", help="AdamW's weight decay")
    group.add_argument(
        "--ema", type=float, metavar="X", help="decay of the moving average of the weights; 0: none"
    )
    group.add_argument("--label-smoothing", type=float, metavar="X", help="from 0 to below 1")
    group.add_argument(
        "--drop-path", type=float, metavar="X", help="stochastic depth rate of the last block"
    )
    group.add_argument("--mixup", type=float, metavar="ALPHA", help="mixup; 0: none")
    group.add_argument("--cutmix", type=float, metavar="ALPHA", help="CutMix; 0: none")
    group.add_argument(
        "--randaugment", type=int, metavar="N", help="RandAugment operations per image; 0: none"
    )


def _add_run_options(group: Options) -> None:
    group.add_argument("--out", metavar="DIR", help="run folder (default: a new one in runs/)")
    group.add_argument("--resume", metavar="RUN", help="continue the run in this folder")
    add_seed(group, "initial weights, order of images and augmentation")
    add_threads(group)
    add_workers(group)
    group.add_argument(
        "--accumulate", type=int, metavar="N", help="save memory: take each batch in N parts"
    )
    group.add_argument(
        "--recompute", action="store_true", help="save memory: run blocks again when backward"
    )
    add_quiet(group)


def run(args: argparse.Namespace) -> int:
    """Train, write the report, print the accuracies."""
    began = time.monotonic()
    from tervit_np import train
    from tervit_np.analysis.report import write_report
    from tervit_np.cli.new_run import arguments_from_options, run_folder
    from tervit_np.train.folder import RunFolder

    if args.resume is None:
        setup, out = arguments_from_options(args), run_folder(args.out, args.data)
    else:
        out = Path(args.resume)
        setup = train.run_arguments_from(RunFolder(out).read_run_config())
    try:
        results = train.run(
            setup.model,
            setup.stages,
            setup.data,
            out,
            resume=args.resume is not None,
            recipe=setup.recipe,
            seed=setup.seed,
            threads=setup.threads,
            workers=worker_count(args.workers),
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
