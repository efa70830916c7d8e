"""`tervit export`: a trained model as one small file that runs on integers."""

import argparse
from typing import Any

from tervit_np.cli.opening import HELP, open_model

EXAMPLES = """examples:
  tervit export runs/cifar10                          the last stage, into runs/cifar10/packed...
  tervit export runs/cifar10 --out cifar.safetensors --precision float16
  tervit export deit_small_patch16_224 --plan ternary --out deit.safetensors
then:
  tervit predict cifar.safetensors cat.jpg"""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "export",
        help="write a model as one small file",
        description="Write a quantized model as one small file: ternary weights five to a byte.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help=HELP)
    parser.add_argument("--stage", help="stage of a run (default: the last one)")
    parser.add_argument("--plan", help="put other quantizers in: int8, ternary")
    parser.add_argument("--out", help="file (default: packed.safetensors beside the model)")
    parser.add_argument(
        "--precision", default="float32", help="of scales and the rest: float32 or float16"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export and print the size."""
    from pathlib import Path

    from tervit_np.analysis.sizes import sizes
    from tervit_np.deploy import export

    opened = open_model(args.model, args.stage, args.plan)
    out = Path(args.out) if args.out else opened.file.with_name("packed.safetensors")
    extra = {
        "data": opened.data,
        "classes": list(opened.classes),
        "mean": list(opened.mean),
        "std": list(opened.std),
    }
    export(opened.model, out, precision=args.precision, extra=extra)
    size, whole = out.stat().st_size, sizes(opened.model).float32
    print(f"{out}: {size / 1e6:.3f} MB, {whole / size:.1f} times smaller than in float32")
    return 0
