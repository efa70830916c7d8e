"""docs/float_product.md agrees with the stored measurements."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("numba")
ROOT = Path(__file__).parents[1]


def test_tables_are_those_of_the_stored_files():
    script = ROOT / "docs" / "make_float_product.py"
    spec = importlib.util.spec_from_file_location("float_product_page", script)
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.remade(text) == text
    for processor in page.measured("float_ladder"):
        speeds = page.stored("float_ladder", processor)["speeds"]
        assert f"| blocks | {speeds['blocks']:.1f} |" in text
    text = page.BENCHMARKS.read_text(encoding="utf-8")
    assert page.remade_benchmarks(text) == text
    for processor in page.measured("train_step"):
        for row in page.stored("train_step", processor)["rows"]:
            assert f"| {row['shape']}, {row['batch']} |" in text
