"""A chapter as a list of items, section by section."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from sphinx_gallery.py_source_parser import split_code_and_text_blocks
from tervit_book.repository import ROOT

from tervit_slides import code, text

DRAWING = re.compile(r"^from tervit_lesson\.figures import (\w+) as draw$", re.M)
NOT_SHOWN = {"In practice", "Further reading"}
TASKS = "On your own"
SHORT = 220  # characters


class Formula(NamedTuple):
    """A formula and the sentence before it."""

    sentence: str
    tex: str


class Question(NamedTuple):
    """What to predict, and what came out."""

    text: str
    results: list[str]


class Remark(NamedTuple):
    """What the text says behind a figure or an answer, as HTML."""

    text: str


class Section(NamedTuple):
    """A section: its first sentences, and what it shows, in order."""

    title: str
    lead: str
    items: "list[Item]"


class Chapter(NamedTuple):
    """A chapter of the course."""

    number: str
    title: str
    fields: dict[str, str]
    formulas: list[str]  # of its first cell, behind "In the paper"
    sections: list[Section]


Item = Formula | Question | Remark | code.Claim | code.Figure | code.Function | text.Points


@cache
def read_chapter(file: Path) -> Chapter:
    """Read a chapter."""
    source = file.read_text(encoding="utf-8")
    _, blocks = split_code_and_text_blocks(str(file))
    match = DRAWING.search(source)
    drawing = match[1] if match else ""
    head = blocks[0].content
    title = head.strip().split("\n")[0]
    numbers = _stored_numbers(file.stem)
    formulas = [piece.tex for piece in text.pieces(head) if isinstance(piece, text.Formula)]
    sections: list[Section] = [Section(title, "", [])]
    for block in blocks[1:]:
        if block.type == "code":
            sections[-1].items.extend(_results(code.shown(block.content, drawing), numbers))
        else:
            _add_text(sections, block.content)
    return Chapter(
        file.stem[:2], title, text.fields(head), formulas, list(filter(_shows, sections))
    )


def _shows(section: Section) -> bool:
    """Tell whether a section has more than words."""
    more = [item for item in section.items if not isinstance(item, Remark)]
    return bool(more) and section.title not in NOT_SHOWN


def _add_text(sections: list[Section], rst: str) -> None:
    """Add what a cell of text shows to the last section, and new sections behind it."""
    before = ""
    for i, piece in enumerate(text.pieces(rst)):
        match piece:
            case text.Heading(name):
                sections.append(Section(name, "", []))
            case text.Paragraph(sentences):
                said = _first_sentences(sentences)
                if not sections[-1].lead and not sections[-1].items:
                    sections[-1] = sections[-1]._replace(lead=said)
                elif i == 0 and said[-1] not in ":," and said.count("(") == said.count(")"):
                    sections[-1].items.append(Remark(said))
                before = sentences[-1]
            case text.Formula(tex):
                sentence = "" if before in sections[-1].lead else before
                sections[-1].items.append(Formula(sentence, tex))
                before = ""
            case text.Points() if sections[-1].title == TASKS:
                sections[-1].items.append(piece)


def _first_sentences(sentences: list[str]) -> str:
    """Return the first sentence, or both of the first two if they are short."""
    both = " ".join(sentences[:2])
    return both if len(both) < SHORT and not both.endswith(":") else sentences[0]


def _results(shown: list[code.Shown], numbers: dict[str, str]) -> Iterator[Item]:
    """Yield what a cell shows: functions, a question and its results, figures, other claims."""
    questions: list[Question] = []
    others: dict[type, list[Item]] = {code.Function: [], code.Figure: [], code.Claim: []}
    for thing in shown:
        match thing:
            case code.Question(asked):
                questions.append(Question(asked, []))
            case code.Number(name) if questions and name in numbers:
                questions[-1].results.append(f"{name}: {numbers[name]}")
            case code.Claim(claimed) if questions:
                questions[-1].results.append(claimed)
            case code.Claim() | code.Figure() | code.Function():
                others[type(thing)].append(thing)
    yield from others[code.Function]
    yield from questions
    yield from others[code.Figure]
    yield from others[code.Claim]


def _stored_numbers(stem: str) -> dict[str, str]:
    """Return the numbers of a chapter that are stored, as text."""
    stored: dict[str, Any] = json.loads((ROOT / "docs/tutorials.json").read_text(encoding="utf-8"))
    entries = stored["chapters"].get(stem, {"numbers": {}})["numbers"]
    return {name: _digits(e["value"]) for name, e in entries.items() if "value" in e}


def _digits(value: float) -> str:
    """Write integers in full and other numbers with four digits, as the chapters print them."""
    return f"{int(value):,}" if float(value).is_integer() else f"{value:.4g}"
