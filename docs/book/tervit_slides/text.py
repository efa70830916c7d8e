"""The text of a chapter, rST in comments, as pieces of HTML."""

import re
from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from docutils import nodes
from docutils.core import publish_doctree

SENTENCE = re.compile(r"(?<=[.!?]) +(?=[A-Z*<\\(])")
QUIET = {"report_level": 5, "doctitle_xform": False, "docinfo_xform": False}


class Heading(NamedTuple):
    """Begins a section."""

    text: str


class Paragraph(NamedTuple):
    """Sentences, as HTML."""

    sentences: list[str]


class Formula(NamedTuple):
    """A displayed formula, as TeX."""

    tex: str


class Points(NamedTuple):
    """A list, as HTML."""

    items: list[str]


Piece = Heading | Paragraph | Formula | Points


def pieces(rst: str) -> Iterator[Piece]:
    """Yield headings, paragraphs, formulas and lists in their order."""
    yield from _pieces(publish_doctree(rst, settings_overrides=QUIET))


def _pieces(node: nodes.Element) -> Iterator[Piece]:
    for child in node.children:
        if isinstance(child, nodes.section):
            yield from _pieces(child)
        elif isinstance(child, nodes.title):
            yield Heading(html(child))
        elif isinstance(child, nodes.paragraph):
            yield Paragraph(SENTENCE.split(html(child)))
        elif isinstance(child, nodes.math_block):
            yield Formula(_aligned(child.astext()))
        elif isinstance(child, nodes.bullet_list | nodes.enumerated_list):
            yield Points([" ".join(map(html, item.findall(nodes.paragraph))) for item in child])


def _aligned(tex: str) -> str:
    """Return a formula of several lines with their marks of alignment, as Sphinx shows it."""
    rows = r" \\ ".join(tex.strip().split("\n\n"))
    several = "&" in rows or r"\\" in rows
    return rf"\begin{{aligned}} {rows} \end{{aligned}}" if several else rows


def fields(rst: str) -> dict[str, str]:
    """Return the fields at the head of a chapter, "You will learn" and others, as HTML."""
    document = publish_doctree(rst, settings_overrides=QUIET)
    return {
        field[0].astext(): " ".join(map(html, field[1].findall(nodes.paragraph)))
        for field in document.findall(nodes.field)
    }


def html(node: nodes.Node) -> str:
    r"""Return the text of a node with formulas in \( \), code and emphasis marked."""
    if isinstance(node, nodes.Text):
        return escape(" ".join(str(node).split("\n")))
    inside = "".join(map(html, node.children))
    if isinstance(node, nodes.math):
        return rf"\({escape(node.astext())}\)"
    for kind, tag in ((nodes.literal, "code"), (nodes.emphasis, "em"), (nodes.strong, "b")):
        if isinstance(node, kind):
            return f"<{tag}>{inside}</{tag}>"
    return inside
