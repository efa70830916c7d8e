"""`tervit bench`: the ternary kernels against others, and against the processor's limits."""

import argparse
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tervit_np.bench import Comparison

EXAMPLES = """examples:
  tervit bench                            one layer in six shapes, against all that is installed
  tervit bench --explain                  every rung of the ladder, its speed and its inner loop
  tervit bench --out bench.json           the figures, too"""
_RIVALS = {  # columns and the names they stand for
    "numpy": "numpy float32", "torch": "torch float32", "bf16": "torch bfloat16",
    "int8": "torch int8 dynamic", "int_mm": "torch _int_mm", "ort": "onnxruntime MatMulInteger",
}  # fmt: skip


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "bench",
        help="time the ternary kernels",
        description="Time a ternary linear layer, rounding of the tokens, scales and bias "
        "included, on one thread. Rivals take turns; ratios are of medians.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--explain", action="store_true", help="show each rung of the ladder")
    parser.add_argument("--rounds", type=int, default=41, help="turns of each (default: 41)")
    parser.add_argument("--out", help="JSON file to write")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, print, store."""
    import json
    from pathlib import Path

    from tervit_np import bench
    from tervit_np.environment import environment, installed_version
    from tervit_np.kernels import chosen
    from tervit_np.train.folder import write_text
    from tervit_np.train.memory import keep_freed_memory

    if args.rounds < 1:
        raise ValueError(f"--rounds is {args.rounds}; expected at least 1")
    keep_freed_memory()
    machine = environment() | {"kernel": chosen(), "torch": installed_version("torch")}
    words = ("kernel", "processor", "blas", "numpy", "torch")
    print("  ".join(f"{key} {machine[key]}" for key in words))
    if args.explain:
        _explain(args.rounds)
        return 0
    found = bench.compare(rounds=args.rounds)
    _print_table(found)
    if args.out:
        rows = [{**row._asdict(), "times": {k: v._asdict() for k, v in row.times.items()}}
                for row in found]  # fmt: skip
        write_text(Path(args.out), json.dumps({"environment": machine, "rows": rows}, indent=1))
        print(args.out)
    return 0


def _print_table(found: "list[Comparison]") -> None:
    """Print how many times faster the ternary layer is."""
    here = {short: name for short, name in _RIVALS.items() if name in found[0].times}
    print(f"{'tokens x in x out':<18}{'us':>8}{'GOP/s':>7}   times faster than")
    print(" " * 33 + "".join(f"{short:>8}" for short in here))
    for row in found:
        shape = f"{row.tokens}x{row.inputs}x{row.outputs}"
        cells = "".join(
            f"{row.ratio(name):>8.2f}" if name in row.times else f"{'':>8}"
            for name in here.values()
        )
        print(f"{shape:<18}{1e6 * row.times['ternary'].median:>8.0f}{row.speed:>7.0f}{cells}")


def _explain(rounds: int) -> None:
    from tervit_np.bench import climb

    rungs = climb(rounds=rounds)
    print(f"{'197x384x1536':<10}{'GOP/s':>9}{'of peak':>9}   inner loop")
    for rung in rungs:
        share = "" if math.isnan(rung.share) else f"{100 * rung.share:.0f} %"
        print(f"{rung.name:<12}{rung.speed:>9.1f}{share:>9}   {', '.join(rung.loop[:7])}")
