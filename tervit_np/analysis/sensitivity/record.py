"""The sensitivity of a model as one JSON file, the source of table, figure and plan."""

import json
from pathlib import Path
from typing import NamedTuple

from tervit_np.analysis.sensitivity.measure import Sensitivity
from tervit_np.analysis.typed_json import plain, typed
from tervit_np.files import write_text
from tervit_np.json_files import load_json


class Settings(NamedTuple):
    """What was measured, and the command that repeats it."""

    model: str  # its file
    data: str
    split: str
    images: int
    seed: int
    fingerprint: str  # of weights and images
    command: str
    seconds: float
    environment: dict[str, str]


class Record(NamedTuple):
    """A stored measurement."""

    settings: Settings
    measured: Sensitivity


def write_record(record: Record, file: Path) -> None:
    """Write a record atomically."""
    write_text(file, json.dumps(plain(record), indent=1) + "\n")


def read_record(file: Path) -> Record:
    """Read a record.

    Raises
    ------
    ValueError
        If the file is missing, damaged or of another layout.
    """
    try:
        record: Record = typed(Record, load_json(file, dict))
        return record
    except FileNotFoundError:
        raise ValueError(f"{file}: no such file; `tervit sensitivity MODEL` writes it") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{file} is damaged or of another version ({error})") from None


def stored_measurement(file: Path, fingerprint: str) -> Record | None:
    """Return the record if it is of the same weights and images, None otherwise."""
    try:
        record = read_record(file)
    except ValueError:
        return None
    return record if record.settings.fingerprint == fingerprint else None
