"""Small results in the folder of a comparison: JSON files that are checked when they are read."""

import json
from pathlib import Path
from typing import Any

from tervit_np.files import write_text
from tervit_np.json_files import read_json
from tervit_np.train.folder import RunFolder

_DIVERGED = {"problem": str}


def read_stored(path: Path, schema: Any) -> dict[str, Any]:
    """Read a stored result; ValueError, with what to do, if it is damaged."""
    try:
        return dict(read_json(path, schema))
    except ValueError as error:
        raise ValueError(f"{error}; delete it, and the same command makes it anew") from None


def divergence(run: RunFolder) -> str:
    """Return the problem of a stage that has diverged; "" if it has not."""
    path = _divergence_file(run)
    return str(read_stored(path, _DIVERGED)["problem"]) if path.exists() else ""


def store_divergence(run: RunFolder, problem: str) -> None:
    """Store that a stage has diverged."""
    write_text(_divergence_file(run), json.dumps({"problem": problem}))


def _divergence_file(run: RunFolder) -> Path:
    return run.path / "diverged.json"
