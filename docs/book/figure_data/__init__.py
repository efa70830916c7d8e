"""Data of the book's moving figures, one module for each figure that needs any.

Pages open without a server, and browsers let such pages read scripts only: so each file of data is
a script that sets one entry of the object FIGURE_DATA.
"""

import json
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).resolve().parents[1] / "figures"
ROOT = FIGURES.parents[2]


def data_file(name: str) -> Path:
    """Return the file of one entry."""
    return FIGURES / "data" / f"{name}.js"


def write(name: str, data: Any) -> Path:
    """Write one entry."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    made_by = "// Written by docs/book/make_figure_data.py."
    file = data_file(name)
    file.write_text(f"{made_by}\n(window.FIGURE_DATA ??= {{}}).{name} = {text};\n", "utf-8")
    return file


def read(name: str) -> Any:
    """Read one entry back."""
    text = data_file(name).read_text("utf-8")
    return json.loads(text.partition(" = ")[2].rstrip(";\n"))
