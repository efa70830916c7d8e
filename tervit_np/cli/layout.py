"""The layout of texts in the width of the terminal: paragraphs, and lists such as examples.

A text is written in the source as it is read: paragraphs, lists whose lines are indented, empty
lines. A line of a list is a term, such as a command, at least two spaces, and what it means; lines
that are indented further continue the meaning.
"""

import re
import shutil
import sys
import textwrap
from itertools import groupby
from typing import NamedTuple

from data_tools.terminal import is_terminal

_INDENT = 2  # of terms, and between a term and its meaning
_MOST_COLUMNS = 100  # longer lines are hard to read


class Entry(NamedTuple):
    """A line of a list."""

    term: str
    meaning: str


def line_width() -> int:
    """Return how long lines may be: the terminal's width, 80 without one."""
    return min(shutil.get_terminal_size().columns, _MOST_COLUMNS)


def output_width() -> int | None:
    """Return the columns of standard output if it is a terminal; None if rows stay whole."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None


def lay_out(text: str, width: int) -> str:
    """Fill paragraphs and align lists, so that no line is longer than `width`.

    A command that is too long continues after a backslash, before an option; a single word is never
    broken.
    """
    return "\n".join(
        line
        for kind, lines in groupby(text.strip("\n").splitlines(), key=_kind)
        for line in _lay_out_block(kind, list(lines), width)
    )


def entries(lines: list[str]) -> list[Entry]:
    """Read the lines of a list."""
    found: list[Entry] = []
    for line in lines:
        term, _, meaning = line.strip().partition("  ")
        if found and line.startswith(" " * 2 * _INDENT):
            last = found.pop()
            found.append(Entry(last.term, f"{last.meaning} {line.strip()}".strip()))
        else:
            found.append(Entry(term, meaning.strip()))
    return found


def hang(head: str, text: str, width: int | None = None) -> str:
    """Fill a text behind a head; further lines begin where the first one does."""
    width = line_width() if width is None else width
    first, *others = fill(text, max(width - len(head), _INDENT)) or [""]
    return "\n".join([head + first, *(" " * len(head) + line for line in others)])


def fill(text: str, width: int) -> list[str]:
    """Break a text into lines at spaces, so that names with hyphens stay whole."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _kind(line: str) -> str:
    """Return what a line belongs to."""
    if not line.strip():
        return "empty"
    return "list" if line.startswith(" " * _INDENT) else "paragraph"


def _lay_out_block(kind: str, lines: list[str], width: int) -> list[str]:
    if kind == "empty":
        return [""]
    if kind == "paragraph":
        return fill(" ".join(lines), width)
    return _lay_out_list(entries(lines), width)


def _lay_out_list(listed: list[Entry], width: int) -> list[str]:
    """Align the meanings; a term of more than half the width has its meaning below."""
    lengths = [len(entry.term) for entry in listed if entry.meaning]
    words = [len(word) for entry in listed for word in entry.meaning.split()]
    column = 2 * _INDENT + max((n for n in lengths if n <= width // 2), default=_INDENT)
    column = max(min(column, width - max(words, default=0)), 3 * _INDENT)
    margin = " " * column
    lines: list[str] = []
    for term, meaning in listed:
        *first, last = _continued(term, width)
        below = fill(meaning, width - column)
        if below and len(last) + _INDENT <= column:
            last = f"{last:<{column}}{below.pop(0)}"
        lines += [*first, last, *(margin + line for line in below)]
    return lines


def _continued(command: str, width: int) -> list[str]:
    """Return a command on as many lines as it needs, each but the last ending with a backslash."""
    first, *options = re.split(r" (?=--)", command)
    lines = [" " * _INDENT + first]
    for option in options:
        if len(lines[-1]) + len(option) + 3 <= width:  # a space before it, " \\" after it
            lines[-1] += f" {option}"
        else:
            lines[-1] += " \\"
            lines.append(" " * 3 * _INDENT + option)
    return lines
