"""What a type checker says of a user's script."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = """
import data_tools
import tervit_np as tv

model: tv.models.Classifier = tv.quantize(tv.create_model("deit_shapes"), "ternary")
tv.export(model, "x")
kernel: str = tv.kernels.selected_variant()
tv.create_modle("deit_shapes")
data_tools.normalize
"""


def test_misspelt_names_are_found(tmp_path):
    """A visible `__getattr__` made every name of the packages one of type Any."""
    pytest.importorskip("mypy")
    (tmp_path / "user.py").write_text(SCRIPT)
    options = "--strict", "--follow-imports=silent", "--cache-dir", tmp_path / "cache"
    found = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "user.py"],
        cwd=tmp_path, env={"MYPYPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    errors = [line for line in found.splitlines() if "error:" in line]
    assert [line.split('"')[1] for line in errors] == ["create_modle", "normalize"], found
