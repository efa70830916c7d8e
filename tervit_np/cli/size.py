"""`tervit size`: how large a model is, by every accounting in use."""

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tervit_np.analysis.sizes import Cost
    from tervit_np.models import Classifier

EXAMPLES = """examples:
  tervit size deit_small_patch16_224              by group of tensors
  tervit size deit_shapes --plan int8             under another plan
  tervit size deit_shapes --layers                every tensor, and every layer's work
  tervit size weights.safetensors                 of weights in a file
  tervit size deit_small_patch16_224 --activations --batch 32"""

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
    parser.add_argument("model", help="model name (see tv.list_models()), or a file or run folder")
    parser.add_argument("--plan", default="ternary", help="quantizers (default: ternary)")
    parser.add_argument("--layers", action="store_true", help="list every tensor and layer")
    parser.add_argument(
        "--activations", action="store_true", help="list what a training step keeps in memory"
    )
    parser.add_argument("--batch", type=int, default=32, help="images of that step (default: 32)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Count and print."""
    from tervit_np.cli.opening import open_model
    from tervit_np.models import CONFIGS, build, quantize
    from tervit_np.train.stages import plan_named

    known = CONFIGS.get(args.model)
    config = open_model(args.model).model.config if known is None else known
    model = quantize(build(config, None), plan_named(args.plan))  # sizes depend on shapes alone
    if args.activations:
        _print_activations(args, model)
    else:
        _print_sizes(args, model)
    return 0


def _print_sizes(args: argparse.Namespace, model: "Classifier") -> None:
    from tervit_np.analysis.sizes import costs, grouped

    lines = [*(costs(model) if args.layers else []), *grouped(model)]
    width = max(len(line.name) for line in lines)
    print(f"{args.model}, plan {args.plan}, in MB")
    print(f"{'':<{width}} " + "".join(f"{word:>12}" for word in _HEAD))
    for line in lines:
        print(f"{line.name:<{width}} " + _cells(line))
    if args.layers:
        print()
        _print_layers(model)


def _cells(line: "Cost") -> str:
    sizes = (line.paper, line.honest, line.ftervit, line.float32)
    return f"{line.numbers:>12,}" + "".join(f"{size / 1e6:>12.3f}" for size in sizes)


def _print_layers(model: "Classifier") -> None:
    """Print shape, bits of weights and inputs, and multiplications of each layer."""
    from tervit_np.analysis.macs import bits, macs

    counts = macs(model)
    width = max(map(len, counts))
    print(f"{'':<{width}} {'weight':>20}{'bits w / a':>14}{'million MACs':>14}")
    for name, layer in model.quantizable():
        shape = "products" if layer.weight is None else " x ".join(map(str, layer.weight.shape))
        print(f"{name:<{width}} {shape:>20}{bits(layer):>14}{counts[name] / 1e6:>14.2f}")
    print(f"{'all, one image':<{width}} {'':>20}{'':>14}{sum(counts.values()) / 1e6:>14.2f}")


def _print_activations(args: argparse.Namespace, model: "Classifier") -> None:
    """Print what a step keeps, with all caches and with recomputed blocks."""
    from tervit_np.analysis.activations import kept

    if args.batch < 1:
        raise ValueError(f"--batch is {args.batch}; expected at least 1")
    rows = kept(model, args.batch)
    width = max(len(row.name) for row in rows)
    print(f"{args.model}, plan {args.plan}, batch {args.batch}: kept for the backward pass")
    print(f"{'':<{width}} {'arrays':>7} {'shape':>24}{'MB':>11}")
    for row in rows:
        shape = " x ".join(map(str, row.shape))
        print(f"{row.name:<{width}} {row.arrays:>7} {shape:>24}{row.bytes / 1e6:>11.2f}")
    print(f"{'all':<{width}} {sum(r.arrays for r in rows):>7} {'':>24}{_total(rows):>11.2f}")
    model.recompute = True
    less = _total(kept(model, args.batch))
    print(f"with blocks recomputed (--recompute): {less:.2f} MB, and the caches of one block")


def _total(rows: Any) -> float:
    return float(sum(row.bytes for row in rows)) / 1e6
