"""Plain text becomes rST that shows the same."""

from tervit_book.plain import as_rst


def test_formulas_stay_as_they_stand():
    text = """Layer norm.

        y   = gamma * x
        dx  = rstd (g - mean(g))

    over the last axis."""
    assert as_rst("Layer norm.\n\n    y   = a * x\n\n    z = |y|\n\nover the last axis.") == (
        "Layer norm.\n\n\n::\n\n        y   = a * x\n\n        z = |y|\n\nover the last axis."
    ).replace("\n\nover", "\n\n\nover")
    assert "gamma \\*" not in as_rst(text.replace("\n    ", "\n"))


def test_indented_lines_need_no_empty_line_before_them():
    assert as_rst("Three paths:\n  x itself  * g\ntheir sum.") == (
        "Three paths:\n\n::\n\n      x itself  * g\n\ntheir sum."
    )


def test_code_is_code_and_marks_of_rst_are_letters():
    assert as_rst("`m = `") == "``m =``"
    assert as_rst("`a_` is |w| * x_, not ``b``") == r"``a_`` is \|w\| \* x\_, not ``b``"


def test_items_of_lists_keep_their_lines():
    assert as_rst("Two:\n* one\n  of `them`\n* two") == "Two:\n\n* one\n  of ``them``\n* two"


def test_sections_of_numpy_are_left_to_napoleon():
    text = "Do it.\n\nRaises\n------\nValueError\n    If `x` is *bad*."
    assert as_rst(text) == ("Do it.\n\n\nRaises\n------\nValueError\n    If ``x`` is \\*bad\\*.")
