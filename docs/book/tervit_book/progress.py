"""Lines that say how far a build is; Sphinx, called quietly, prints its warnings alone."""

import os
import time
from pathlib import Path
from typing import Any

# Processes that run chapters count from the beginning of the one that started them.
BEGIN = float(os.environ.setdefault("TERVIT_BOOK_BEGIN", str(time.time())))


def running(settings: dict[str, Any], file: str | None) -> None:
    """Name a chapter that runs now; called by sphinx-gallery."""
    if file is not None:
        _line(f"chapter {Path(file).stem}")


def reading(app: Any, environment: Any, pages: list[str]) -> None:
    """Count the pages that are read (an event of Sphinx)."""
    _line(f"reading {len(pages)} pages")


def writing(app: Any, environment: Any) -> None:
    """Say that all pages are read (an event of Sphinx)."""
    _line("writing pages")


def _line(text: str) -> None:
    seconds = round(time.time() - BEGIN)
    print(f"{seconds // 60:3d}:{seconds % 60:02d}  {text}", flush=True)
