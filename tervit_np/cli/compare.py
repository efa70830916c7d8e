"""`tervit compare`: several ways of training, the arms, at equal budgets; planned in TOML."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tervit_np.cli.options import (
    add_processes,
    add_quiet,
    add_threads,
    add_workers,
    thread_count,
    worker_count,
)
from tervit_np.cli.parser import CommandParser

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager

    from tervit_np.analysis.comparison import Record

HELP = """Compare ways of training at equal budgets, over several seeds.

The ways of training, the arms, have the same number of epochs and search the same learning rates.
Rates are chosen on validation images; the test images are evaluated once, at the end. A plan in
TOML says what the arms are.

Differences are taken seed by seed, with 95 % intervals. Two seeds hardly tell anything: use five,
and write down before the first training which differences you will claim. Below the tables stands
how many intervals leave 0 out, and how many would by chance."""
EXAMPLES = """\
  tervit compare docs/comparisons/main.toml            to runs/compare-main, in about an hour; the
                                                       same command continues after Ctrl-C
  tervit compare docs/comparisons/main.toml --processes 4   the same, four trainings at a time
  tervit compare --redraw docs/comparisons/main.json   tables and figure of a stored result"""


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "plan", nargs="?", metavar="PLAN.toml", help="plan of a comparison: arms, budget and seeds"
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="folder for results and checkpoints (default: runs/compare-NAME)",
    )
    parser.add_argument(
        "--redraw", metavar="RESULT", help="only print and draw a result: its folder or JSON file"
    )
    add_processes(parser, "train")
    add_threads(parser)
    add_workers(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Compare, or read a stored result; print tables and draw the figure."""
    from data_tools.counted import counted

    if (args.plan is None) == (args.redraw is None):
        raise ValueError("expected either a plan, or --redraw with a stored result")
    if args.redraw is not None:
        from tervit_np.analysis.comparison import read_record

        stored = Path(args.redraw)
        out = Path(args.out) if args.out else stored if stored.is_dir() else stored.parent
        stem = "comparison" if stored.is_dir() else stored.stem
        return _show(read_record(stored), out, stem)
    from tervit_np.analysis.comparison import compare, read_plan

    plan = read_plan(args.plan)
    out = Path(args.out or f"runs/compare-{plan.name}")
    if not args.quiet:
        arms, per_arm = len(plan.arms), len(plan.multipliers) * len(plan.search_seeds)
        print(
            f"{counted(arms, 'arm')} of {counted(plan.arms[0].epochs, 'epoch')}: "
            f"{counted(arms * per_arm, 'training')} to choose "
            f"learning rates, {arms * len(plan.seeds)} to compare; in {out}"
        )
    with _pool(args.processes) as executor:
        record = compare(
            plan,
            out,
            threads=_threads_each(args),
            workers=worker_count(args.workers),
            quiet=args.quiet,
            executor=executor,
        )
    return _show(record, out, "comparison")


def _pool(processes: int | None) -> "AbstractContextManager[Executor | None]":
    """Return the processes of --processes, or None to train in this one."""
    from contextlib import nullcontext

    from tervit_np.processes import process_pool

    return nullcontext() if processes is None else process_pool(processes)


def _threads_each(args: argparse.Namespace) -> int:
    """Return the threads of one training: without --threads, processes share the cores."""
    if args.threads is not None or args.processes is None:
        return thread_count(args.threads)
    processes: int = args.processes
    return max(thread_count(None) // processes, 1)


def _show(record: "Record", out: Path, stem: str) -> int:
    """Print the tables and how to read them, draw the figure."""
    from tervit_np.analysis.comparison import arms_table, contrasts_table, markdown, notes
    from tervit_np.analysis.comparison.figure import draw_comparison
    from tervit_np.cli.layout import hang, output_width
    from tervit_np.cli.tables import in_columns
    from tervit_np.files import make_folder

    tables, width = (arms_table(record), contrasts_table(record)), output_width()
    if width is None:  # Markdown, for a file
        print(*map(markdown, tables), "".join(f"- {note}\n" for note in notes(record)), sep="\n")
    else:
        print(*(f"{in_columns(table, 0, width)}\n" for table in tables), sep="\n")
        print(*(hang("- ", note, width) for note in notes(record)), sep="\n", end="\n\n")
    make_folder(out)
    print(f"figure: {draw_comparison(record, out / f'{stem}.png')}")
    return 0
