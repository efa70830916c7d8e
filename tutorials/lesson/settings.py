"""Settings from the environment variables that lesson/__init__.py lists."""

import os
from pathlib import Path


def is_set(variable: str) -> bool:
    """Return whether a variable is set to something other than 0."""
    return os.environ.get(variable, "") not in ("", "0")


FAST = is_set("TERVIT_FAST")
PLAY = is_set("TERVIT_PLAY")
SEED = int(os.environ.get("TERVIT_SEED") or 0)
OUT = Path(
    os.environ.get("TERVIT_TUTORIALS")
    or Path(__file__).resolve().parents[2] / "runs" / "tutorials"
)
