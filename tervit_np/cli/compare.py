"""`tervit compare`: arms against each other at equal budgets, from a plan in TOML."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tervit_np.analysis.comparison import Record

EXAMPLES = """examples:
  tervit compare docs/comparisons/main.toml              into runs/compare-main; about an hour
  tervit compare docs/comparisons/main.toml              after Ctrl-C: what is left
  tervit compare --redraw docs/comparisons/main.json     table and figure, from the stored result

All arms of a plan have the same total of epochs and the same search of learning rates. Rates are
chosen on validation pictures; the test pictures are looked at once, at the end."""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "compare",
        help="compare ways of training at equal budgets",
        description="Compare ways of training at equal budgets, over several seeds.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("plan", nargs="?", metavar="PLAN.toml", help="what is compared")
    parser.add_argument("--out", help="folder, which also keeps what is trained so far "
                        "(default: runs/compare-NAME)")  # fmt: skip
    parser.add_argument("--redraw", metavar="RESULT", help="a comparison's folder or JSON file")
    parser.add_argument("--threads", type=int, help="threads (default: all cores)")
    parser.add_argument("--workers", type=int, help="decoding processes (default: all cores)")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare, or read a stored result; write table and figure."""
    if (args.plan is None) == (args.redraw is None):
        raise ValueError("give a plan, or --redraw with a stored result")
    if args.redraw is not None:
        from tervit_np.analysis.comparison import read_record

        given = Path(args.redraw)
        out = Path(args.out) if args.out else given if given.is_dir() else given.parent
        stem = "comparison" if given.is_dir() else given.stem
        return _show(read_record(given), out, stem)
    from tervit_np.analysis.comparison import compare, read_plan
    from tervit_np.cli.models import thread_count
    from tervit_np.environment import usable_cores

    plan = read_plan(args.plan)
    out = Path(args.out or f"runs/compare-{plan.name}")
    if not args.quiet:
        arms, tried = len(plan.arms), len(plan.multipliers) * len(plan.search_seeds)
        print(
            f"{arms} arms of {plan.arms[0].epochs:g} epochs: {arms * tried} trials to choose "
            f"rates, {arms * len(plan.seeds)} to compare; in {out}"
        )
    record = compare(
        plan,
        out,
        threads=thread_count(args.threads),
        workers=usable_cores() if args.workers is None else args.workers,
        quiet=args.quiet,
    )
    return _show(record, out, "comparison")


def _show(record: "Record", out: Path, stem: str) -> int:
    """Print the tables, draw the figure."""
    from tervit_np.analysis.comparison import tables
    from tervit_np.analysis.comparison.figure import draw_comparison

    print(tables(record))
    out.mkdir(parents=True, exist_ok=True)
    print(f"figure: {draw_comparison(record, out / f'{stem}.png')}")
    return 0
