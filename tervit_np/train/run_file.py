"""run.json: the configuration of a run, with a checksum.

A resumed run takes its settings from this file. Without a checksum, a digit that has changed on the
disk would change the result without a word.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from tervit_np.files import write_text
from tervit_np.json_files import Each, read_json

_DATA = {"name": str, "classes": [str], "train": int, "val": int, "test": int}
CONFIG = {
    "command": str,
    "started": str,
    "seed": int,
    "threads": int,
    "backend": str,
    "model": {"model": str, "config": dict, "dtype": str, "parameters": int},
    "stages": [{"name": str, "epochs": float}],
    "recipe": {"batch_size": int, "betas": [float], "augment": dict},
    "data": _DATA,
    "environment": Each(str),
}


def write_config(file: Path, run_config: dict[str, Any]) -> None:
    """Write run.json atomically."""
    write_text(file, json.dumps(run_config | {"checksum": _checksum(run_config)}, indent=1))


def read_config(file: Path, schema: dict[str, Any]) -> dict[str, Any]:
    """Read run.json, without its checksum, which files of earlier versions lack.

    Raises
    ------
    ValueError
        If it is damaged: its checksum is wrong, or it does not follow the schema.
    OSError
        If there is no such file.
    """
    run_config: dict[str, Any] = read_json(file, schema)
    if run_config.pop("checksum", None) not in (None, _checksum(run_config)):
        raise ValueError(f"{file} is damaged: its checksum is wrong")
    return run_config


def _checksum(run_config: dict[str, Any]) -> str:
    text = json.dumps(run_config, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
