"""The records of metrics.jsonl, one JSON object per line, and how lost lines are noticed.

    step     loss, rate and learning rate, every 20 steps
    eval     loss and accuracy on the validation split, after an epoch
    stage    a finished stage with its accuracies before and after, and its time
    run      the duration of the command

The file grows at its end. A checkpoint stores its length, so that a resumed run can drop what was
written later. After a power cut or an edit the file may be shorter or damaged; then the lines that
are whole stay.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tervit_np.files import write_text
from tervit_np.json_files import AnyOf, mismatch, parse_json

_ACCURACY = {"test_accuracy": float, "test_loss": float}
SCHEMAS: dict[str, Any] = {
    "step": {"stage": str, "step": int, "loss": float},
    "eval": {"stage": str, "step": int, "loss": float, "accuracy": float},
    "stage": {
        "stage": str,
        "epochs": float,
        "start": _ACCURACY,
        "end": _ACCURACY,
        "seconds": AnyOf(float, None),  # unknown where the line was lost and made anew
        "cpu_seconds": AnyOf(float, None),  # unknown also in runs of earlier versions
    },
    "run": {},
}


def stage_record(
    stage: dict[str, Any],
    result: Sequence[Any],
    seconds: float | None = None,
    cpu_seconds: float | None = None,
) -> dict[str, Any]:
    """Make the record of a finished stage from its description and its StageResult."""
    name, start_accuracy, start_loss, accuracy, loss = result
    return {
        "kind": "stage",
        **stage,
        "stage": name,
        "start": {"test_accuracy": start_accuracy, "test_loss": start_loss},
        "end": {"test_accuracy": accuracy, "test_loss": loss},
        "seconds": None if seconds is None else round(seconds, 2),
        "cpu_seconds": None if cpu_seconds is None else round(cpu_seconds, 2),
    }


class Metrics(NamedTuple):
    """The whole lines of a file."""

    records: list[dict[str, Any]]
    damaged: int  # lines that are no records


def read_metrics(path: Path) -> Metrics:
    """Read the records; a missing file has none."""
    records, damaged = _records(_content(path))
    return Metrics([record for _, record in records], damaged)


def append(path: Path, record: dict[str, Any]) -> None:
    """Append one record."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def sync(path: Path) -> int:
    """Write the file to the disk, before a checkpoint relies on it.  -> its length in bytes."""
    with open(path, "ab") as file:
        os.fsync(file.fileno())
        return file.tell()


def cut(path: Path, length: int) -> bool:
    """Drop what follows the first `length` bytes, if these are whole records.  -> whether so."""
    content = _content(path)
    whole = len(content) >= length and content[:length].endswith(b"\n") == (length > 0)
    if not whole or _records(content[:length])[1]:
        return False
    if len(content) > length:
        os.truncate(path, length)
    return True


def rewrite(path: Path, length: int, stages: list[dict[str, Any]]) -> None:
    """Keep the records within the first `length` bytes, and add `stages` that are not among them.

    Of the rest of the file nothing is kept: the run takes these steps again.
    """
    records, _ = _records(_content(path)[:length])
    lines = [line for line, _ in records]
    kept = [record["stage"] for _, record in records if record["kind"] == "stage"]
    lines += [json.dumps(stage).encode() for stage in stages if stage["stage"] not in kept]
    write_text(path, b"".join(line + b"\n" for line in lines).decode())


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _records(content: bytes) -> tuple[list[tuple[bytes, dict[str, Any]]], int]:
    """Return the lines that are records, and the number of those that are not."""
    lines = [line for line in content.split(b"\n") if line]
    records = [(line, record) for line in lines if (record := _record(line)) is not None]
    return records, len(lines) - len(records)


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = parse_json(line, {"kind": str})
    except ValueError:
        return None
    if record["kind"] == "stage":
        record.setdefault("cpu_seconds", None)
    schema = SCHEMAS.get(record["kind"])
    return None if schema is None or mismatch(record, schema) else record
