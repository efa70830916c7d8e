"""The options of `tervit train`."""

import argparse
from typing import Any

from tervit_np.cli.options import (
    Options,
    add_quiet,
    add_seed,
    add_threads,
    add_workers,
    image_count,
)
from tervit_np.cli.parser import CommandParser
from tervit_np.cli.plans import add_plan

HELP = """Train a model from float to ternary, in stages, and write a report."""
EXAMPLES = """\
  tervit train                                   the embedded data set, in three minutes
  tervit train --data cifar10                    the preset for CIFAR-10
  tervit train --stages float:20,ternary:10      from float to ternary, without an 8-bit stage
  tervit train --stages float:16,int8:2,int4:2,ternary:8@1e-3 --teacher float
  tervit train --stages float:20,plan.toml:8     the last stage with the quantizers of a plan file
  tervit train --stages float:20@2e-3,ternary:20 --schedule fused
                                                 the rate falls in the last stage alone
  tervit train --data cifar10 --float-twin       float weights, as long and at the same rates
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
        help="model, data, stages and recipe by name: shapes, cifar10, cifar10-swin, "
        "cifar10-long, cifar10-wide, cifar10-adamw, imagenet (default: that of the data set)",
    )
    group.add_argument(
        "--validation",
        type=image_count,
        metavar="N",
        help="hold out N training images, or a fraction of each class such as 0.1, if the data "
        "set has no validation split (default: the preset's)",
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
    group.add_argument(
        "--schedule",
        choices=("each", "fused"),
        help="of the learning rate; each: every stage has a warm-up, a fall along a cosine and a "
        "fresh optimizer; fused: one schedule over all stages, with the rate of the first, that "
        "falls in the last (default: the preset's; with --stages: each)",
    )
    group.add_argument(
        "--ramp",
        type=float,
        metavar="X",
        help="fade the weight quantizers of the last stage in over this fraction of it",
    )
    group.add_argument(
        "--float-twin",
        action="store_true",
        default=None,
        help="the same stages with float weights: the model to compare the quantized one with",
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
        "--precision",
        choices=("float32", "bf16", "bf16x2"),
        help="of the products in backward passes; bf16: factors rounded to bfloat16, float32 sums "
        "and weights; bf16x2: factors of two bfloat16 numbers. `tervit doctor` names the "
        "instructions that multiply them here",
    )
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
        "--resume",
        metavar="RUN",
        help="continue the run in this folder, with its options (--threads may differ)",
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
