"""docs/page_parts.py: the parts of pages that scripts write."""

import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).parents[1] / "docs" / "page_parts.py"
PAGE = "a\n<!-- x -->\nold\n<!-- end of x -->\n<!-- y -->\n<!-- end of y -->\n"


@pytest.fixture(scope="module")
def parts():
    spec = importlib.util.spec_from_file_location("parts", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_text_between_the_marks_is_rewritten(parts):
    assert parts.rewrite(PAGE, "x", "new\n") == PAGE.replace("old", "new")
    assert parts.rewrite(PAGE, "y", "new\n") == PAGE.replace("<!-- y -->\n", "<!-- y -->\nnew\n")


@pytest.mark.parametrize(("page", "count"), [("", 0), (PAGE + PAGE, 2), (PAGE[:20], 0)])
def test_marks_that_are_missing_or_repeated_are_refused(parts, page, count):
    with pytest.raises(ValueError, match=f"{count} pairs of the marks 'x'; expected one"):
        parts.rewrite(page, "x", "new\n")


def test_a_table_has_a_head(parts):
    assert parts.table([("a", "b"), ("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
