"""`tervit log`: the history of a run, as a table or as CSV."""

import argparse
import csv
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tervit_np.cli.parser import CommandParser

if TYPE_CHECKING:
    from tervit_np.analysis.run_record import RunRecord

HELP = """Print the history of a run.

A row for each epoch: the mean loss of its training steps, the learning rate at its end, and the
validation split; then a row for each finished stage with the test split and its time, by the clock
and of the CPU. With --csv every record of metrics.jsonl, for a spreadsheet or a notebook."""
EXAMPLES = """\
  tervit log runs/shapes                        epochs and stages, also of a run that goes on
  tervit log runs/shapes --csv > history.csv    all records: steps, evaluations, stages"""


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    parser.add_argument("run_folder", metavar="RUN", help="folder of a run, finished or not")
    parser.add_argument("--csv", action="store_true", help="print all records as CSV")


def run(args: argparse.Namespace) -> int:
    """Print the table, or with --csv all records."""
    from data_tools.counted import counted
    from data_tools.terminal import note
    from tervit_np.analysis.run_record import read_run

    record = read_run(args.run_folder)
    if record.damaged:
        note(f"{record.folder.metrics}: {counted(record.damaged, 'damaged line')} left out")
    if args.csv:
        _print_csv(record)
    else:
        _print_epochs(record)
        if record.stages:
            print()
            _print_stages(record)
    return 0


def _print_csv(record: "RunRecord") -> None:
    from tervit_np.analysis.history import COLUMNS, cells

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(cells, record.records))


def _print_epochs(record: "RunRecord") -> None:
    from tervit_np.analysis.history import epochs

    rows = [
        (
            row.stage,
            str(row.epoch),
            str(row.step),
            _number(row.loss, ".3f"),
            _number(row.lr, ".2e"),
            _number(row.val_loss, ".3f"),
            _percent(row.val_accuracy),
        )
        for row in epochs(record)
    ]
    head = (
        "stage", "epoch", "step", "training loss", "learning rate", "val loss", "val accuracy",
    )  # fmt: skip
    _print_table(head, rows)


def _print_stages(record: "RunRecord") -> None:
    from tervit_np.train.progress import clock

    rows = [
        (
            stage.name,
            f"{stage.epochs:g}",
            _percent(stage.start_accuracy),
            _percent(stage.accuracy),
            f"{stage.loss:.3f}",
            *("" if time is None else clock(time) for time in (stage.seconds, stage.cpu_seconds)),
        )
        for stage in record.stages
    ]
    head = ("stage", "epochs", "test accuracy before", "after", "test loss", "time", "CPU time")
    _print_table(head, rows)


def _print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print columns, the first one to the left; a column without any value is left out."""
    from tervit_np.cli.tables import print_table

    columns = [c for c in zip(head, *rows, strict=True) if any(c[1:]) or not rows]
    print_table(list(zip(*columns, strict=True)), len(columns) - 1)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.1f} %"
