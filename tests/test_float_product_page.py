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
    assert (
        f"| blocks | {page.json.loads(page.LADDER.read_text())['speeds']['blocks']:.1f} |" in text
    )
