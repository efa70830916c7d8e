"""Small results in the folder of a comparison: JSON files that are checked when they are read."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tervit_np.files import make_folder, write_text
from tervit_np.json_files import read_json
from tervit_np.train import StageResult
from tervit_np.train.folder import RunFolder
from tervit_np.train.metrics import read_metrics
from tervit_np.train.stage_time import total_time

_TRIAL = {"stages": [{"start_accuracy": float}], "accuracy": float, "loss": float}
_DIVERGED = {"problem": str}


def read_stored(path: Path, schema: Any) -> dict[str, Any]:
    """Read a stored result; ValueError, with what to do, if it is damaged."""
    try:
        return dict(read_json(path, schema))
    except ValueError as error:
        raise ValueError(f"{error}; delete it, and the same command makes it anew") from None


def store_trial(path: Path, run: RunFolder, results: Sequence[StageResult]) -> None:
    """Store the results of a trial, and the CPU time of all its stages, also of those it shares.

    Without the time if that of a stage is unknown (train/stage_time.py).
    """
    stages = [record for record in read_metrics(run.metrics).records if record["kind"] == "stage"]
    is_whole = len(stages) == len(results)
    cpu = total_time([stage["cpu_seconds"] for stage in stages]) if is_whole else None
    record = {
        "stages": [result._asdict() for result in results],
        "accuracy": results[-1].accuracy,
        "loss": results[-1].loss,
        **({} if cpu is None else {"cpu_seconds": round(cpu, 2)}),
    }
    make_folder(path.parent)
    write_text(path, json.dumps(record, indent=1))


def read_trial(path: Path) -> dict[str, Any]:
    """Read the stored results of a trial; ValueError as `read_stored`."""
    return read_stored(path, _TRIAL)


def divergence(run: RunFolder) -> str:
    """Return the problem of a stage that has diverged; "" if it has not."""
    path = _divergence_file(run)
    return str(read_stored(path, _DIVERGED)["problem"]) if path.exists() else ""


def store_divergence(run: RunFolder, problem: str) -> None:
    """Store that a stage has diverged."""
    write_text(_divergence_file(run), json.dumps({"problem": problem}))


def _divergence_file(run: RunFolder) -> Path:
    return run.path / "diverged.json"
