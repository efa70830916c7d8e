"""Pages of the figures that move: each shows one page of docs/book/figures in a frame."""

import re
import shutil
from pathlib import Path
from typing import NamedTuple

from tervit_book.repository import ROOT, read

FIGURES = "docs/book/figures"
ENTRY = re.compile(r'<li><a href="(\w+)\.html">(.+?)</a>, chapter (\d\d)</li>')
CHAPTER = re.compile(r'"\.\./\.\./\.\./tutorials/(\w+)\.py"')
START = """\
Figures that move
=================

Each asks a question, lets you try, and has an answer.

"""


class Figure(NamedTuple):
    """An entry of the figures' own list."""

    name: str
    title: str
    chapter: str  # its number


def figures() -> list[Figure]:
    """Return the figures that docs/book/figures/index.html lists."""
    return [Figure(*match) for match in ENTRY.findall(read(f"{FIGURES}/index.html"))]


def pages() -> dict[str, str]:
    """Return the text of each page, under its path in Sphinx's folder."""
    lines = [f"* :doc:`{f.title} <{f.name}>`, chapter {f.chapter}" for f in figures()]
    names = [f"   {f.name}" for f in figures()]
    contents = ["", ".. toctree::", "   :hidden:", "", *names, ""]
    made = {"moving/index.rst": START + "\n".join([*lines, *contents])}
    return made | {f"moving/{figure.name}.rst": _page(figure) for figure in figures()}


def copy_figures(pages: Path) -> None:
    """Copy the figures beside the built pages; their links to chapters lead to those pages."""
    shutil.copytree(ROOT / FIGURES, pages / "figures", dirs_exist_ok=True)
    for file in (pages / "figures").glob("*.html"):
        text = file.read_text(encoding="utf-8")
        file.write_text(CHAPTER.sub(r'"../tutorials/\1.html" target="_top"', text), "utf-8")


def _page(figure: Figure) -> str:
    frame = f'<iframe class="moving" src="../figures/{figure.name}.html" title="{figure.title}">'
    return f"""\
{figure.title}
{"=" * len(figure.title)}

.. raw:: html

   {frame}</iframe>
"""
