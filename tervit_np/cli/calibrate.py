"""`tervit calibrate`: static scales for the inputs of a trained model."""

import argparse
from typing import TYPE_CHECKING

from tervit_np.cli.model_images import images_for
from tervit_np.cli.models import add_model, files_read, open_model
from tervit_np.cli.options import add_data, add_seed, add_stage, refuse_overwriting
from tervit_np.cli.parser import CommandParser
from tervit_np.cli.plans import add_plan

if TYPE_CHECKING:
    from tervit_np.models.calibration import CalibratedInput

HELP = """Find static scales for the inputs of a model's layers, on training images.

The rules:
  min-max        the grid ends at the largest magnitude seen
  percentile     the grid ends where 99.9 % of the magnitudes do (--percent)
  least-squares  the grid that changes the values least
docs/calibration.md compares them with dynamic scales."""
EXAMPLES = """\
  tervit calibrate runs/shapes                     to runs/shapes/ternary-calibrated.npz
  tervit calibrate runs/shapes --rule percentile --percent 99.99
  tervit calibrate runs/shapes --stage float --plan int8 --out eight.npz
  tervit calibrate deit_small_patch16_224 --plan ternary --data imagenet:~/imagenet

then:
  tervit eval runs/shapes/ternary-calibrated.npz
  tervit export runs/shapes/ternary-calibrated.npz"""
_RULES = ("min-max", "percentile", "least-squares")


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    add_model(parser, packed=False)
    add_stage(parser)
    add_plan(parser, "quantize by another plan, with static inputs")
    parser.add_argument(
        "--rule",
        choices=_RULES,
        default="least-squares",
        help="how scales are found (default: least-squares)",
    )
    parser.add_argument(
        "--percent", type=float, metavar="P", help="for the rule percentile (default: 99.9)"
    )
    parser.add_argument(
        "--images", type=int, metavar="N", help="images of the training split (default: 256)"
    )
    add_seed(parser, "the choice of images")
    add_data(parser)
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="file to write (default: the model's, with -calibrated.npz)",
    )


def run(args: argparse.Namespace) -> int:
    """Calibrate, print what was found, and write the model."""
    from pathlib import Path

    from data_tools.counted import counted
    from tervit_np.checkpoints import save_checkpoint
    from tervit_np.files import check_writable
    from tervit_np.models import calibrate, make_inputs_static, plan_of
    from tervit_np.quant.calibration import PERCENT
    from tervit_np.train.static_scales import PICTURES, calibration_images

    if args.percent is not None and args.rule != "percentile":
        raise ValueError(f"--percent is for --rule percentile; the rule is {args.rule}")
    loaded = open_model(args.model, args.stage, args.plan)
    default = loaded.file.with_name(f"{loaded.file.stem}-calibrated.npz")
    out = Path(args.out) if args.out else default
    refuse_overwriting("--out", out, files_read(loaded, args.plan))
    check_writable(out)
    model = make_inputs_static(loaded.model)
    if not plan_of(model).rules:
        raise ValueError(f"{loaded.file} is not quantized; choose a plan, such as --plan int8")
    train = images_for(loaded, args.data, "train")
    count = PICTURES if args.images is None else args.images
    images = calibration_images(train, count, args.seed)
    percent = PERCENT if args.percent is None else args.percent
    found = calibrate(model, images, args.rule, percent)
    _print_table(found)
    chosen = {"rule": args.rule, "pictures": len(images), "seed": args.seed}
    if args.rule == "percentile":
        chosen["percent"] = percent
    extra = loaded.description() | {"calibration": chosen}
    save_checkpoint(model, out, extra=extra)
    print(
        f"{out}: {counted(len(found), 'static scale')} by {args.rule} from "
        f"{counted(len(images), 'training image')}"
    )
    return 0


def _print_table(found: "dict[str, CalibratedInput]") -> None:
    """Print for each layer what its inputs are and where its grid ends."""
    from tervit_np.cli.tables import print_table

    rows = [("inputs of", "largest", "grid ends", "step", "clipped")]
    for name, layer in found.items():
        numbers = f"{layer.largest:.3f}", f"{layer.end:.3f}", f"{layer.scale:.5f}"
        rows.append((name, *numbers, f"{100 * layer.clipped:.3f} %"))
    print_table(rows, len(rows[0]) - 1)
