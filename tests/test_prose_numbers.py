"""Numbers that the text of a comparison quotes are in the tables of its section."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ("stages.md", "rules.md", "swin_and_photographs.md")
NUMBER = r"\d+\.\d+"
NOT_QUOTED = r"± \d+\.\d+|[+-]\d+\.\d+(?:, [+-]\d+\.\d+)+"  # deviations, and single seeds
DERIVED = {  # words of a page: two cells of the section whose difference they quote
    "0.9 and 2.3 points wide": ("0.77", "-0.16"),
    "2.3 points wide": ("0.73", "-1.58"),
    "6.5 points better": ("40.30", "33.82"),
    "1.2 to 1.5 points, as above": ("29.18", "27.94"),
    "1.5 points, as above": ("37.72", "36.26"),
    "2.2 to 7.5 points wide": ("1.55", "-0.62"),
    "7.5 points wide": ("3.71", "-3.78"),
    "3.5 points wide": ("1.42", "-2.09"),
}
FROM_RECORD = ("7.0 points of validation", "6.4 after the 8-bit")  # by test_results_page.py


def sections(page: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]


def tables(section: str) -> str:
    return "\n".join(line for line in section.splitlines() if line.startswith("|"))


def quoted(section: str) -> list[tuple[str, str]]:
    """Each number with a decimal point in the prose, and the words that follow it.

    Code, links and what a program writes are left out, and paragraphs about an earlier result,
    which name its commit.
    """
    text = re.sub(r"<!-- comparison.*?<!-- end|^\|[^\n]*", "", section, flags=re.DOTALL | re.M)
    paragraphs = [part for part in text.split("\n\n") if "git show" not in part]
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", " ".join(" ".join(paragraphs).split()))
    return [(match[0], prose[match.start() :][:40]) for match in re.finditer(NUMBER, prose)]


def rounds_to(value: float, number: str) -> bool:
    digits = len(number.partition(".")[2])
    return abs(abs(value) - float(number)) <= 0.5 * 10**-digits + 1e-9


def missing(section: str) -> list[str]:
    """What the prose quotes and no cell, nor a difference in DERIVED, rounds to."""
    rows = tables(section)
    cells = [float(number) for number in re.findall(NUMBER, re.sub(NOT_QUOTED, "", rows))]
    return [
        words
        for number, words in quoted(section)
        if not words.startswith(FROM_RECORD)
        and not any(rounds_to(cell, number) for cell in cells)
        and not any(
            words.startswith(start)
            and first in rows
            and second in rows
            and rounds_to(float(first) - float(second), number)
            for start, (first, second) in DERIVED.items()
        )
    ]


@pytest.mark.parametrize("page", PAGES)
def test_prose_quotes_its_tables(page):
    for section in sections(page):
        assert missing(section) == []


def test_exceptions_are_still_quoted():
    every = [section for page in PAGES for section in sections(page)]
    said = [words for section in every for _, words in quoted(section)]
    for start in [*DERIVED, *FROM_RECORD]:
        assert any(words.startswith(start) for words in said), start


def test_a_number_that_no_table_has_is_noticed():
    section = "| arm | +0.44 ± 1.48 | -1.40 to +2.28 |\n\nIt is {} points ahead."
    assert missing(section.format("0.4")) == missing(section.format("2.3")) == []
    assert missing(section.format("0.5")) == ["0.5 points ahead."]
    assert missing(section.format("1.5")) == ["1.5 points ahead."]  # that is a deviation
