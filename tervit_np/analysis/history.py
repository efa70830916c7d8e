"""The history of a run: a row for each epoch, and all records as the rows of one table."""

from collections import defaultdict
from math import ceil
from typing import Any, NamedTuple

from tervit_np.analysis.run_record import RunRecord

# The columns of the table of all records. Those of a stage are named as its fields, joined by "_".
COLUMNS = (
    "kind",
    "stage",
    "step",
    "stage_step",
    "epoch",
    "loss",
    "lr",
    "grad_norm",
    "rate",
    "split",
    "accuracy",
    "epochs",
    "start_test_accuracy",
    "start_test_loss",
    "end_test_accuracy",
    "end_test_loss",
    "seconds",
    "cpu_seconds",
)


class Epoch(NamedTuple):
    """An epoch of a stage; None where nothing was recorded."""

    stage: str
    epoch: int  # of the stage, from 1
    step: int  # the last one recorded, of the whole run
    loss: float | None  # mean of the recorded steps
    lr: float | None  # of the last recorded step
    val_loss: float | None
    val_accuracy: float | None


def epochs(run: RunRecord) -> list[Epoch]:
    """Summarize the steps and evaluations of each epoch, in the order of training."""
    rows, start = [], 0
    for stage in run.stage_names:
        groups = defaultdict(list)
        for record in run.steps + run.evaluations:
            if record["stage"] == stage:
                groups[ceil((record["step"] - start) / run.epoch_steps)].append(record)
        rows += [_epoch(stage, number, groups[number]) for number in sorted(groups)]
        start = max([start, *(row.step for row in rows)])
    return rows


def _epoch(stage: str, number: int, records: list[dict[str, Any]]) -> Epoch:
    steps = [record for record in records if record["kind"] == "step"]
    evaluations = [record for record in records if record["kind"] == "eval"]
    loss = sum(step["loss"] for step in steps) / len(steps) if steps else None
    val = evaluations[-1] if evaluations else {}
    return Epoch(
        stage,
        number,
        max(record["step"] for record in records),
        loss,
        steps[-1].get("lr") if steps else None,
        val.get("loss"),
        val.get("accuracy"),
    )


def cells(record: dict[str, Any]) -> list[Any]:
    """Return the values of a record in COLUMNS; "" where it has none."""
    flat = dict(record)
    for end in ("start", "end"):
        if isinstance(record.get(end), dict):
            flat |= {f"{end}_{name}": value for name, value in record[end].items()}
    values = (flat.get(column) for column in COLUMNS)
    return ["" if value is None else value for value in values]
