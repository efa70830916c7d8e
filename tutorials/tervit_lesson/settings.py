"""Settings from the environment variables that __init__.py lists."""

import os
import sys
from pathlib import Path
from typing import NoReturn


def is_set(variable: str) -> bool:
    """Return whether a variable is set to something other than 0."""
    return os.environ.get(variable, "") not in ("", "0")


def end(sentence: str) -> NoReturn:
    """End the chapter, as a command that cannot be met: exit code 2."""
    print(f"tutorials: {sentence}", file=sys.stderr)
    raise SystemExit(2)


def whole_number(variable: str) -> int:
    """Return a variable's number, 0 if it is not set; end on other text."""
    text = os.environ.get(variable) or "0"
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        end(f"{variable} is {text!r}; expected a whole number of at least 0")
    return int(text)


PACKAGE = Path(__file__).resolve().parent
IN_CLONE = (PACKAGE.parent / "run_all.py").exists()
ROOT = PACKAGE.parents[1] if IN_CLONE else PACKAGE  # has the folder docs
FAST = is_set("TERVIT_FAST")
PLAY = is_set("TERVIT_PLAY")
SEED = whole_number("TERVIT_SEED")
OUT = Path(
    os.environ.get("TERVIT_TUTORIALS")
    or (ROOT if IN_CLONE else Path.cwd()) / "runs" / "tutorials"
)
