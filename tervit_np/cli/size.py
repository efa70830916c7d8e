"""`tervit size`: how large a model is, by every accounting in use."""

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tervit_np.analysis.sizes import Cost

EXAMPLES = """examples:
  tervit size deit_small_patch16_224              by group of tensors
  tervit size deit_shapes --plan int8             under another plan
  tervit size deit_shapes --layers                every tensor"""

_HEAD = ("numbers", "paper", "honest", "FTerViT", "float32")


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "size",
        help="count the bytes of a model",
        description="Count the bytes of a model. paper: ternary weights 2 bits, all else 8, no "
        "scales. honest: 1.6 bits, scales and the rest in float32. FTerViT: everything ternary. "
        "MB is a million bytes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="model name; see tv.list_models()")
    parser.add_argument("--plan", default="ternary", help="quantizers (default: ternary)")
    parser.add_argument("--layers", action="store_true", help="list every tensor")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Count and print."""
    from tervit_np.analysis.sizes import costs, grouped
    from tervit_np.models import create_model, quantize
    from tervit_np.train.stages import plan_named

    model = quantize(create_model(args.model), plan_named(args.plan))
    lines = [*(costs(model) if args.layers else []), *grouped(model)]
    width = max(len(line.name) for line in lines)
    print(f"{args.model}, plan {args.plan}, in MB")
    print(f"{'':<{width}} " + "".join(f"{word:>12}" for word in _HEAD))
    for line in lines:
        print(f"{line.name:<{width}} " + _cells(line))
    return 0


def _cells(line: "Cost") -> str:
    sizes = (line.paper, line.honest, line.ftervit, line.float32)
    return f"{line.numbers:>12,}" + "".join(f"{size / 1e6:>12.3f}" for size in sizes)
