"""The glossary is sorted, and the chapters that it names use its words."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TUTORIALS = ROOT / "tutorials"


def tables() -> list[list[list[str]]]:
    """Return the rows of each table of docs/glossary.md, as lists of cells."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    sections = text.split("\n## ")[1:]
    return [
        [re.split(r" *\| *", line.strip("| ")) for line in re.findall(r"^\| .+$", s, re.M)[1:]]
        for s in sections
    ]


ROWS = [row for table in tables() for row in table]


def words_of(chapter: Path) -> str:
    """Return the text of a chapter in lower case, on one line, without the marks of comments."""
    text = re.sub(r"\n# ?", "\n", chapter.read_text(encoding="utf-8")).replace("*", "")
    return re.sub(r"\s+", " ", text).lower()


def test_each_table_is_sorted():
    assert len(tables()) == 3
    for table in tables():
        words = [row[0].lower() for row in table]
        assert words == sorted(words)
        assert len(set(words)) == len(words) > 10


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_named_chapters_use_the_word(row):
    first, second, numbers = row
    names = first if row not in tables()[2] else second
    listed = re.findall(r"\]\((\d\d)_\w+\.py\)", (TUTORIALS / "README.md").read_text("utf-8"))
    assert re.fullmatch(r"\d\d(, \d\d)*", numbers)
    for number in numbers.split(", "):
        assert number in listed
        for chapter in TUTORIALS.glob(f"{number}_*.py"):  # none if it is not written yet
            for name in names.split(", "):
                assert name.lower() in words_of(chapter), (name, chapter.name)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_chapter_with_the_word_in_its_title_is_named(row):
    first, second, numbers = row
    readme = (TUTORIALS / "README.md").read_text("utf-8")
    for number, title in re.findall(r"^\| \[(\d\d) ([^\]]+)\]", readme, re.MULTILINE):
        for name in (first if row not in tables()[2] else second).split(", "):
            if name.lower() == title.lower():
                assert number in numbers, title
