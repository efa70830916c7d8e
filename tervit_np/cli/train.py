"""`tervit train`: train a preset or your own list of stages, and write a run folder."""

import argparse
import errno
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tervit_np.cli.options import (
    Options,
    add_quiet,
    add_seed,
    add_threads,
    add_workers,
    image_count,
    thread_count,
    worker_count,
)
from tervit_np.cli.parser import CommandParser
from tervit_np.cli.plans import add_plan

if TYPE_CHECKING:
    from tervit_np.train import RunArguments
    from tervit_np.train.ranks import Ranks

HELP = """Train a model from float to ternary, stage by stage, and write a report."""
EXAMPLES = """\
  tervit train                                   the embedded data set, in two minutes
  tervit train --data cifar10                    the preset for CIFAR-10 (see `tervit data`)
  tervit train --stages float:20,ternary:10      from float to ternary, without an 8-bit stage
  tervit train --stages float:16,int8:2,int4:2,ternary:8@1e-3 --teacher float
  tervit train --stages float:20,plan.toml:8     the last stage with the quantizers of a plan file
  tervit train --data cifar10 --show-recipe      what that would train, and how
  tervit train --resume runs/shapes              continue after Ctrl-C, with the same result
  tervit train --resume runs/shapes --lower-lr 0.1
                                                 after divergence: go on at a tenth of the rate
  tervit train --data folder:~/flowers@64,test=0.2 --validation 0.1
                                                 class folders without splits (docs/data.md)
  tervit train --data imagenet:~/imagenette --weights deit_tiny_patch16_224 --stages ternary:3

Plans of --stages: float, int8, intN (N-bit weights, N = 2 to 7), ternary, ternary-layer (one
threshold and scale per matrix), others of docs/quantizers.md, and plan files (docs/plans.md), which
name their stage. RATE is the peak learning rate of the stage."""

_WITH_RESUME = ("resume", "lower_lr", "workers", "quiet", "help")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def add_arguments(parser: CommandParser) -> None:
    """Declare the options, in four groups."""
    _add_model_options(parser.add_argument_group("data and model"))
    _add_stage_options(parser.add_argument_group("stages"))
    _add_recipe_options(parser.add_argument_group("recipe (default: the preset's)"))
    _add_run_options(parser.add_argument_group("run"))


def _add_model_options(group: Options) -> None:
    group.add_argument(
        "--data",
        metavar="SET",
        help="data set; also selects the preset of that name (default: shapes)",
    )
    group.add_argument(
        "--preset",
        metavar="NAME",
        help="model, data, stages and recipe by name: shapes, cifar10, cifar10-adamw, imagenet "
        "(default: that of the data set)",
    )
    group.add_argument(
        "--validation",
        type=image_count,
        metavar="N",
        help="if there is no validation split, hold out N training images, or a fraction such as "
        "0.1, of each class its share (default: the preset's)",
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
        "--freeze", metavar="REGEX", help="do not train parameters whose name contains a match"
    )


def _add_stage_options(group: Options) -> None:
    group.add_argument(
        "--stages",
        metavar="LIST",
        help="comma-separated PLAN:EPOCHS or PLAN:EPOCHS@RATE (default: the preset's)",
    )
    add_plan(group, "plan of the last stage, if --stages is not given")
    group.add_argument(
        "--teacher", metavar="STAGE", help="distil the model of this stage into all later ones"
    )
    for name in ("--epochs", "--lr"):
        group.add_argument(name, nargs="?", action=_StagesAction, help=argparse.SUPPRESS)


class _StagesAction(argparse.Action):
    """Reports that --epochs and --lr, as other trainers call them, are part of --stages."""

    def __call__(self, parser: argparse.ArgumentParser, *args: Any, **options: Any) -> None:
        parser.error(
            f"no option {self.option_strings[0]}; set epochs and learning rates with --stages, "
            "for example --stages float:3@1e-3,ternary:2"
        )


def _add_recipe_options(group: Options) -> None:
    group.add_argument("--batch-size", type=int, metavar="N", help="images per step")
    group.add_argument(
        "--optimizer", choices=("adamw", "muon"), help="muon: for matrices, and AdamW for the rest"
    )
    group.add_argument("--weight-decay", type=float, metavar="X", help="the optimizer's decay")
    group.add_argument(
        "--ema", type=float, metavar="X", help="decay of the moving average of the weights; 0: none"
    )
    group.add_argument("--label-smoothing", type=float, metavar="X", help="from 0 to below 1")
    group.add_argument(
        "--drop-path", type=float, metavar="X", help="stochastic depth rate of the last block"
    )
    group.add_argument(
        "--invert", type=float, metavar="P", help="swap bright and dark with this probability"
    )
    group.add_argument("--mixup", type=float, metavar="ALPHA", help="mixup; 0: none")
    group.add_argument("--cutmix", type=float, metavar="ALPHA", help="CutMix; 0: none")
    group.add_argument("--cutout", type=int, metavar="N", help="side of a masked square; 0: none")
    group.add_argument(
        "--mix-until",
        type=float,
        metavar="X",
        help="fraction of training after which nothing is mixed or cut out",
    )
    group.add_argument(
        "--alternate-flip",
        action=argparse.BooleanOptionalAction,
        help="mirror an image in every second epoch instead of at random",
    )
    group.add_argument(
        "--randaugment", type=int, metavar="N", help="RandAugment operations per image; 0: none"
    )


def _add_run_options(group: Options) -> None:
    group.add_argument("--out", metavar="DIR", help="run folder (default: a new one in runs/)")
    group.add_argument(
        "--resume", metavar="RUN", help="continue the run in this folder, with its options"
    )
    group.add_argument(
        "--lower-lr",
        type=float,
        metavar="X",
        help="with --resume: multiply the learning rates of the stages that are left by X",
    )
    add_seed(group, "initial weights, order of images and augmentation", default=None)
    add_threads(group)
    add_workers(group)
    group.add_argument(
        "--accumulate", type=int, metavar="N", help="save memory: process each batch in N parts"
    )
    group.add_argument(
        "--recompute",
        action="store_true",
        default=None,
        help="save memory: recompute the blocks in the backward pass",
    )
    add_quiet(group)
    group.add_argument(
        "--show-recipe",
        action="store_true",
        default=None,
        help="print model, stages and recipe, with the preset's values, and stop",
    )


def run(args: argparse.Namespace) -> int:
    """Train, write the report, print the accuracies."""
    from tervit_np.cli.new_run import describe_recipe
    from tervit_np.train.ranks import current_ranks

    if args.show_recipe and args.resume is None:
        print(describe_recipe(args))
        return 0
    if args.lower_lr is not None and args.resume is None:
        raise ValueError("--lower-lr continues a run; add --resume RUN")
    ranks = current_ranks()
    args.quiet = args.quiet or ranks.rank > 0
    with ranks.together():
        return _run(args, ranks)


def _run(args: argparse.Namespace, ranks: "Ranks") -> int:
    """Train on all ranks.  -> exit code."""
    from tervit_np import train
    from tervit_np.cli.new_run import arguments_from_options, run_folder
    from tervit_np.train.folder import RunFolder, SharedFolder

    if args.resume is None:
        if args.threads is None and ranks.local_size > 1:
            args.threads = max(thread_count(None) // ranks.local_size, 1)
        arguments = arguments_from_options(args)
        out = ranks.first(lambda: run_folder(args.out, args.data))
    else:
        out = Path(args.resume)
        run_config = ranks.first(lambda: _config_to_resume(args, out))
        arguments = train.run_arguments_from(run_config)
    folder = RunFolder(out) if ranks.rank == 0 else SharedFolder(out)
    with folder.lock():
        return _train(args, arguments, out, ranks)


def _config_to_resume(args: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Read the configuration of a run, with lower rates if they are asked for."""
    from tervit_np.train.folder import RunFolder

    run_config = RunFolder(out).read_run_config()
    _refuse_other_options(args)
    return run_config if args.lower_lr is None else _with_lower_rates(out, args.lower_lr)


def _with_lower_rates(out: Path, factor: float) -> dict[str, Any]:
    """Lower the rates of a run, and say to what.  -> its configuration."""
    from data_tools.terminal import note
    from tervit_np.train.folder import RunFolder
    from tervit_np.train.lower_lr import lower_lr

    folder = RunFolder(out)
    with folder.lock():
        run_config = lower_lr(folder, factor)
    change = run_config["lr_changes"][-1]
    (stage,) = (s for s in run_config["stages"] if s["name"] == change["stage"])
    note(f"stage {stage['name']} continues after step {change['step']} at a peak learning rate of "
         f"{stage['lr']:g}")  # fmt: skip
    return run_config


def _refuse_other_options(args: argparse.Namespace) -> None:
    """Refuse options given with --resume that a run cannot change."""
    actions = args.parser._option_string_actions
    given = [
        name
        for name, action in actions.items()
        if name.startswith("--")
        and action.dest not in _WITH_RESUME
        and getattr(args, action.dest, None) is not None
    ]
    if given:
        raise ValueError(
            f"{' and '.join(given)} cannot be given with --resume, which continues a run with the "
            f"options that it began with; leave {'it' if len(given) == 1 else 'them'} out, or "
            f"begin a new run from its weights: --weights {args.resume}"
        )


def _train(args: argparse.Namespace, arguments: "RunArguments", out: Path, ranks: "Ranks") -> int:
    """Train in a folder that is locked.  -> exit code."""
    from tervit_np import train
    from tervit_np.train.folder import RunFolder

    began = time.monotonic()
    try:
        results = train.run(
            arguments.model,
            arguments.stages,
            arguments.data,
            out,
            resume=args.resume is not None,
            recipe=arguments.recipe,
            seed=arguments.seed,
            threads=arguments.threads,
            workers=worker_count(args.workers),
            quiet=args.quiet,
            command=arguments.command,
            ranks=ranks,
        )
    except OSError as error:
        if not (out / "run.json").exists():
            raise
        room = "make room and " if error.errno in _FULL else ""
        raise OSError(f"{error}; {room}continue with `tervit train --resume {out}`") from None
    if ranks.rank > 0:
        return 0
    accuracies = "  ".join(f"{r.stage} {100 * r.accuracy:.1f}" for r in results)
    page = _report(out, arguments)
    RunFolder(out).log(kind="run", seconds=round(time.monotonic() - began, 1))
    if page is not None:
        print(f"report: {page}")
    print(f"test accuracy: {accuracies}")
    if page is not None and not args.quiet:
        print(
            f"next: open the report in a browser; `tervit predict {out} PICTURE` classifies a "
            "picture; `tervit exercise` lets you write the library's functions"
        )
    return 0 if page is not None else 2


def _report(out: Path, arguments: "RunArguments") -> Path | None:
    """Write the report; None if that failed, which must not cost the last lines."""
    from data_tools.terminal import printable
    from tervit_np.analysis.report import write_report

    try:
        return write_report(out, arguments.data.test, threads=arguments.threads)
    except (ValueError, OSError, ImportError) as error:
        print(
            f"tervit train: the models are in {out}, but no report: {printable(error)}; "
            f"`tervit train --resume {out}` tries again",
            file=sys.stderr,
        )
        return None
