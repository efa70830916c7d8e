"""docs/bits.md agrees with the hashes that configurations gave."""

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "docs" / "make_bits.py"
SPEC = importlib.util.spec_from_file_location("bits_page", SCRIPT)
page = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(page)

OTHERS = {"Numba for x86-64-v2", "backend numpy", "without Numba"}  # whose weights are others


def test_the_table_is_that_of_the_stored_hashes_and_all_that_should_are_equal():
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.remade(text) == text
    assert page.rows()
    for name, weights, predictions, pictures in page.rows():
        assert ("differ" in weights) == (name in OTHERS), name
        assert name in OTHERS or "differ" not in predictions, name
        assert "differ" not in pictures, name


def test_a_hash_that_differs_is_counted():
    expected = {("deit", "float"): "a", ("deit", "ternary"): "b"}
    assert page.verdict(expected, expected) == "equal"
    assert page.verdict({("deit", "float"): "a"}, expected) == "equal, 1 of 2 run"
    assert page.verdict({("deit", "float"): "c"}, expected) == "1 of 1 differ"
    assert page.verdict({}, expected) == "not run"
