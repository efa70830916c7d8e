"""Chapters have numbers and downloads, and "chapter 05" in a text leads to it."""

import re
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx import addnodes

from tervit_book import moving
from tervit_book.links import with_page_links
from tervit_book.repository import CHAPTERS

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PAGE = {chapter[10:12]: f"/{chapter.removesuffix('.py')}" for chapter in CHAPTERS}
MENTION = re.compile(r"\b[Cc]hapters?\s+\d\d(?:(?:,|,?\s+and|\s+to|\s+or|\s+-)\s*\d\d\b)*")
GLOSSARY_CELL = re.compile(r"\d\d(?:, \d\d)*")
NUMBER = re.compile(r"\b\d\d\b")
GALLERY_NOTE = re.compile(r"^\.\. only:: html\n\n    \.\. note::\n(?:(?:    .*)?\n)+", re.M)
GALLERY_FOOTER = re.compile(r"^\.\. _sphx_glr_download_tutorials_.*\Z", re.M | re.S)
TITLE = re.compile(r"^(.+)\n=+\n", re.M)


def prepare_chapter(app: "Sphinx", page: str, content: list[str]) -> None:
    """Number a chapter, offer it for download, link to pages (an event of Sphinx)."""
    if f"{page}.py" not in CHAPTERS:
        return
    stem = page.rpartition("/")[2]
    files = f":download:`script <{stem}.py>` :download:`notebook <{stem}.ipynb>`"
    text = GALLERY_FOOTER.sub("", GALLERY_NOTE.sub("", content[0]))
    for figure in moving.figures():
        if figure.chapter == stem[:2]:
            files += f" :doc:`a figure that moves </moving/{figure.name}>`"
    head = rf"{stem[:2]} \1\n{'=' * 80}\n\n.. rst-class:: downloads\n\n{files}\n"
    content[0] = with_page_links(TITLE.sub(head, text, count=1), f"{page}.py")


def link_chapters(app: "Sphinx", document: nodes.document) -> None:
    """Link the numbers after the word "chapter" (an event of Sphinx: changes the document)."""
    page = f"/{app.env.docname}"
    for text in list(document.findall(nodes.Text)):
        inside = text.parent
        if isinstance(inside, nodes.paragraph | nodes.emphasis):
            parts = _linked(text, page)
            if len(parts) > 1:
                inside.replace(text, parts)


def _linked(text: nodes.Text, page: str) -> list[nodes.Node]:
    """Return a text in parts, of which the numbers of other chapters are links."""
    whole, parts, start = str(text), [], 0
    in_glossary = page == "/docs/glossary" and isinstance(text.parent.parent, nodes.entry)
    mentions = (GLOSSARY_CELL.fullmatch(whole),) if in_glossary else MENTION.finditer(whole)
    for mention in filter(None, mentions):
        for number in NUMBER.finditer(whole, mention.start(), mention.end()):
            target = PAGE.get(number[0])
            if target is None or target == page:
                continue
            parts += [nodes.Text(whole[start : number.start()]), _link(number[0], target)]
            start = number.end()
    return [*parts, nodes.Text(whole[start:])]


def _link(number: str, target: str) -> nodes.Node:
    return addnodes.pending_xref(
        "",
        nodes.inline(number, number),
        refdomain="std",
        reftype="doc",
        reftarget=target,
        refexplicit=True,
        refwarn=True,
    )
