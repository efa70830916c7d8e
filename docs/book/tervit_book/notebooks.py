"""Notebooks of chapters: what sphinx-gallery leaves as rST in their text cells, as Markdown."""

import re
from collections.abc import Callable
from typing import Any

from tervit_book.links import RST

FIELD = re.compile(r"^:([A-Z][^:\n]*):(?=\s)", re.MULTILINE)


def without_fields_and_links(text: str) -> str:
    """Return rST of a chapter with bold words for fields, and the words of links to files alone."""
    return FIELD.sub(r"\n**\1:**", RST.sub(r"\1", text))


def convert_more(settings: dict[str, Any], file: str | None) -> None:
    """Let sphinx-gallery, which has no option for it, convert these too.

    It calls this before each chapter, in the process that runs it.
    """
    from sphinx_gallery import notebook

    convert: Callable[..., str] = notebook.rst2md
    if convert.__module__ == __name__:
        return  # done

    def rst2md(text: str, *settings: object) -> str:
        return convert(without_fields_and_links(text), *settings)

    notebook.rst2md = rst2md
