"""The items of a chapter, laid out on slides."""

import re
from collections.abc import Set
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

from tervit_book.figures import descriptions

from tervit_slides import code, text
from tervit_slides.reading import Chapter, Formula, Item, Question, Remark, Section

MOST_LINES = 15.5  # of a slide
CHARACTERS = 88  # of a line
MOST_RESULTS = 5  # of a question
FEW = 3  # results that may be below a wide figure
CODE = re.compile(r"`+([^`]+)`+")
TAG = re.compile(r"<[^>]+>")
WORD = re.compile(r"[a-z]+(?=[,:?]| (?!=))")  # not of code, as in "dx = dm"
LEARN, NEED, PAPER = "You will learn", "You need", "In the paper"


class Slide(NamedTuple):
    """A slide: its kind, for the style, its heading and what is below, as HTML."""

    kind: str
    heading: str
    body: str


def slides(chapter: Chapter, wide: Set[str] = frozenset()) -> list[Slide]:
    """Lay out a chapter; the words about a wide figure go below it."""
    layout = [_title(chapter)]
    for section in chapter.sections:
        layout += _Layout(section, wide).slides
    return layout


def _title(chapter: Chapter) -> Slide:
    """Return the first slide."""
    parts = [
        f"<h3>{name}</h3><p>{chapter.fields[name]}</p>"
        for name in (LEARN, NEED, PAPER)
        if name in chapter.fields
    ]
    formulas = "".join(f"\\[{escape(tex)}\\]" for tex in chapter.formulas)
    return Slide("title", f"{chapter.number} {chapter.title}", "".join(parts) + formulas)


class _Layout:
    """The slides of a section, which are filled one after another."""

    def __init__(self, section: Section, wide: Set[str]) -> None:
        self.section, self.wide = section, wide
        self.slides: list[Slide] = []
        self.parts: list[str] = []  # of a slide with formulas, functions and tasks
        self.lines = 0.0
        self.notes = _Notes()
        if section.lead:
            self._add(f'<p class="lead">{section.lead}</p>', section.lead)
        for item in section.items:
            self._place(item)
        self._finish()

    def _place(self, item: Item) -> None:
        match item:
            case Formula(sentence, tex):
                rows = 1.6 * tex.count(r"\\") + 2.6
                self._add(f"<p>{sentence}</p>\\[{escape(tex)}\\]", sentence, rows)
            case code.Function(source):
                rows = 0.82 * source.count("\n") + 2
                self._add(f"<pre>{code.highlighted(source)}</pre>", "", rows)
            case text.Points(items):
                for point in items:
                    self._add(f'<p class="task">{point}</p>', point)
            case Question(question, results):
                lead = self._take_lead()
                self._finish()
                self._slide("question", f"{lead}<p>{_sentence(question)}</p>")
                self.notes = _Notes(True, results=results[:MOST_RESULTS])
            case code.Figure(name):
                self._begin_figure(name)
            case code.Claim(claim):
                if not self.notes.open:
                    self._add(f'<p class="claim">{_sentence(claim)}</p>', claim)
                elif len(self.notes.results) < MOST_RESULTS:
                    self.notes.results.append(claim)
            case Remark(said) if self.notes.open and not self.notes.remark:
                self.notes.remark = said

    def _begin_figure(self, name: str) -> None:
        """Begin the slide of a figure; the answer to a question goes beside it."""
        if not self.notes.open or self.notes.figure:
            lead = self._take_lead()
            self._finish()
            self.notes = _Notes(True, lead)
        self.notes.figure = name

    def _take_lead(self) -> str:
        """Return the section's first sentences if nothing else is on their slide yet."""
        if len(self.parts) != 1 or not self.parts[0].startswith('<p class="lead">'):
            return ""
        self.lines = 0.0
        return self.parts.pop()

    def _add(self, part: str, words: str, rows: float = 0.0) -> None:
        """Add to the slide with formulas, or begin another one if it is full."""
        self._finish_notes()
        characters = len(TAG.sub("", words))
        lines = rows + (characters / CHARACTERS + 0.8 if words else 0)
        if self.lines + lines > MOST_LINES:
            self._finish()
        self.parts.append(part)
        self.lines += lines

    def _finish(self) -> None:
        self._finish_notes()
        if self.parts:
            self._slide("plain", "".join(self.parts))
        self.parts, self.lines = [], 0.0

    def _finish_notes(self) -> None:
        notes, self.notes = self.notes, _Notes()
        if notes.figure:
            below = notes.figure in self.wide and len(notes.results) < FEW
            kind = "figure wide" if below else "figure"
            alt = escape(descriptions().get(notes.figure, notes.figure), quote=True)
            image = f'<img src="figures/{notes.figure}.svg" alt="{alt}">'
            self._slide(kind, image + notes.as_html())
        elif html := notes.as_html():
            self._slide("answer", html)

    def _slide(self, kind: str, body: str) -> None:
        self.slides.append(Slide(kind, self.section.title, body))


@dataclass
class _Notes:
    """What is on an answer's slide, or beside a figure."""

    open: bool = False
    lead: str = ""
    figure: str = ""
    results: list[str] = field(default_factory=list)
    remark: str = ""

    def as_html(self) -> str:
        """Return the notes without the figure; '' if there are none."""
        items = "".join(f"<li>{escape(result)}</li>" for result in self.results)
        html = self.lead + (f"<ul>{items}</ul>" if items else "")
        html += f"<p>{self.remark}</p>" if self.remark else ""
        return f'<div class="notes">{html}</div>' if html else ""


def _sentence(words: str) -> str:
    """Return words of the chapter's code as HTML, with a capital letter in front."""
    capital = words[:1].upper() + words[1:] if WORD.match(words) else words
    return CODE.sub(r"<code>\1</code>", escape(capital))
