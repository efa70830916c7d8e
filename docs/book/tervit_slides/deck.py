"""The items of a chapter, laid out on slides."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

from tervit_book.figures import descriptions

from tervit_slides import code, text
from tervit_slides.reading import Chapter, Formula, Item, Question, Remark, Section

MOST_LINES = 15.5  # of a slide
CHARACTERS = 88  # of a line, also of the notes below a figure
FEW_LINES = 8  # of a slide with large letters
SHORT_CODE, SHORT_FORMULA = 66, 55  # characters that fit its width
MOST_RESULTS = 5  # of a question
# In hundredths of a slide's width: the area below its heading, the widest figure next to notes, and
# a line of notes, the margin of each of them, and that between a figure and notes.
AREA, WIDEST = (90.0, 43.6), 58.8
NOTE_LINE, NOTE_MARGIN, GAP = 2.2, 0.6, 2.0
CODE = re.compile(r"`+([^`]+)`+")
TAG = re.compile(r"<[^>]+>")
WORD = re.compile(r"[a-z]+(?=[,:?]| (?!=))")  # not of code, as in "dx = dm"
NOT_SEEN = re.compile(r"\\(?:begin|end)\{\w+\}|\\(?=[a-z])|[{}_^&\s]|\\[,!;]")  # of a formula
LEARN, NEED, PAPER = "You will learn", "You need", "In the paper"


class Slide(NamedTuple):
    """A slide: its kind, for the style, its heading and what is below, as HTML."""

    kind: str
    heading: str
    body: str


def slides(chapter: Chapter, ratios: Mapping[str, float] | None = None) -> list[Slide]:
    """Lay out a chapter; `ratios` has the width over the height of each figure."""
    layout = [_title(chapter)]
    for section in chapter.sections:
        layout += _Layout(section, ratios or {}).slides
    return layout


def _title(chapter: Chapter) -> Slide:
    """Return the first slide."""
    fields = dict(chapter.fields)
    if PAPER in fields and not chapter.formulas:  # nothing that follows its colon is shown
        fields[PAPER] = _ended(fields[PAPER])
    parts = [
        f"<h3>{name}</h3><p>{fields[name]}</p>" for name in (LEARN, NEED, PAPER) if name in fields
    ]
    formulas = "".join(f"\\[{escape(tex)}\\]" for tex in chapter.formulas)
    return Slide("title", numbered_title(chapter), "".join(parts) + formulas)


def numbered_title(chapter: Chapter) -> str:
    """Return the number and the title of a chapter as HTML."""
    return f"<b>{chapter.number}</b> {escape(chapter.title)}"


class _Layout:
    """The slides of a section, which are filled one after another."""

    def __init__(self, section: Section, ratios: Mapping[str, float]) -> None:
        self.section, self.ratios = section, ratios
        self.slides: list[Slide] = []
        self.parts: list[str] = []  # of a slide with formulas, functions and tasks
        self.lines, self.short = 0.0, True  # of formulas and code
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
                short = _longest(NOT_SEEN.sub("", tex).split(r"\\")) <= SHORT_FORMULA
                self._add(f"<p>{sentence}</p>\\[{escape(tex)}\\]", sentence, rows, short)
            case code.Function(source):
                rows = 0.82 * source.count("\n") + 2
                short = _longest(source.split("\n")) <= SHORT_CODE
                self._add(f"<pre>{code.highlighted(source)}</pre>", "", rows, short)
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
        return _ended(self.parts.pop())

    def _add(self, part: str, words: str, rows: float = 0.0, short: bool = True) -> None:
        """Add to the slide with formulas, or begin another one if it is full."""
        self._finish_notes()
        characters = len(TAG.sub("", words))
        lines = rows + (characters / CHARACTERS + 0.8 if words else 0)
        if self.lines + lines > MOST_LINES:
            self._finish()
        self.parts.append(part)
        self.lines += lines
        self.short &= short

    def _finish(self) -> None:
        self._finish_notes()
        if self.parts:
            large = self.lines <= FEW_LINES and self.short
            self._slide("plain large" if large else "plain", "".join(self.parts))
        self.parts, self.lines, self.short = [], 0.0, True

    def _finish_notes(self) -> None:
        notes, self.notes = self.notes, _Notes()
        if notes.figure:
            kind = "figure wide" if notes.go_below(self.ratios.get(notes.figure, 1)) else "figure"
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
        items = "".join(f"<li>{_power(escape(result))}</li>" for result in self.results)
        html = self.lead + (f"<ul>{items}</ul>" if items else "")
        html += f"<p>{self.remark}</p>" if self.remark else ""
        return f'<div class="notes">{html}</div>' if html else ""

    def go_below(self, ratio: float) -> bool:
        """Tell whether a figure, `ratio` times as wide as high, is larger above notes."""
        width, height = AREA
        for words in filter(None, [self.lead, *self.results, self.remark]):
            lines = math.ceil(len(TAG.sub("", words)) / CHARACTERS)
            height -= NOTE_LINE * lines + NOTE_MARGIN
        return min(width, (height - GAP) * ratio) > min(WIDEST, AREA[1] * ratio)


def _sentence(words: str) -> str:
    """Return words of the chapter's code as HTML, with a capital letter in front."""
    capital = words[:1].upper() + words[1:] if WORD.match(words) else words
    return CODE.sub(r"<code>\1</code>", _power(escape(capital)))


def _ended(words: str) -> str:
    """Return words with a full stop for a colon or comma at their end."""
    return re.sub(r"[:,](?=(</p>)?$)", ".", words)


def _longest(rows: list[str]) -> int:
    """Return the number of characters in the longest row."""
    return max(map(len, rows))


def _power(words: str) -> str:
    """Return words with squares as one prints them."""
    return words.replace("^2", "²")
