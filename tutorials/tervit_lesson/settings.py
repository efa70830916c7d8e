"""Settings from the environment variables that __init__.py lists."""

import os
from pathlib import Path


def is_set(variable: str) -> bool:
    """Return whether a variable is set to something other than 0."""
    return os.environ.get(variable, "") not in ("", "0")


PACKAGE = Path(__file__).resolve().parent
IN_CLONE = (PACKAGE.parent / "run_all.py").exists()
ROOT = PACKAGE.parents[1] if IN_CLONE else PACKAGE  # has the folder docs
FAST = is_set("TERVIT_FAST")
PLAY = is_set("TERVIT_PLAY")
SEED = int(os.environ.get("TERVIT_SEED") or 0)
OUT = Path(
    os.environ.get("TERVIT_TUTORIALS")
    or (ROOT if IN_CLONE else Path.cwd()) / "runs" / "tutorials"
)
