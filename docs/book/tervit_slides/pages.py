"""Decks as files: a page for each chapter, an index, and the figures that chapters have drawn."""

import os
import re
import shutil
import subprocess
import sys
from html import escape
from importlib.util import find_spec
from pathlib import Path

from tervit_book.repository import ROOT

from tervit_slides.deck import Slide, numbered_title, slides
from tervit_slides.reading import Chapter, read_chapter

HERE = Path(__file__).parent
SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="slides.css">
"""
MATHJAX = """\
<script>MathJax = {options: {enableMenu: false}, svg: {fontCache: "none"}};</script>
<script src="mathjax.js" defer></script>
<script src="slides.js" defer></script>
</head>
"""


def write_deck(chapter: Path, figures: Path, out: Path) -> Path:
    """Write the slides of a chapter; its figures are copied.  -> the page."""
    read = read_chapter(chapter)
    (out / "figures").mkdir(parents=True, exist_ok=True)
    for file in figures.glob(f"{read.number}_*.svg"):
        if not file.stem.endswith("-dark"):
            shutil.copyfile(file, out / "figures" / file.name)
    deck = slides(read, {f.stem: _ratio(f) for f in (out / "figures").glob("*.svg")})
    page = out / f"{chapter.stem}.html"
    sections = "\n".join(_section(slide, i, read) for i, slide in enumerate(deck, 1))
    head = HEAD.format(title=f"{read.number} {escape(read.title)}") + MATHJAX
    page.write_text(f"{head}<body>\n<main>\n{sections}\n</main>\n</body>\n</html>\n", "utf-8")
    return page


def _ratio(file: Path) -> float:
    """Return the width of a figure over its height."""
    size = SIZE.search(file.read_text(encoding="utf-8"))
    return float(size[1]) / float(size[2]) if size else 1


def _section(slide: Slide, number: int, chapter: Chapter) -> str:
    level = "h1" if slide.kind == "title" else "h2"
    kind = {"question": "Predict", "answer": "Answer"}.get(slide.kind)
    label = f'<p class="kind">{kind}</p>' if kind else ""
    return (
        f'<section class="{slide.kind}" tabindex="-1"><{level}>{slide.heading}</{level}>{label}'
        f'<div class="body">{slide.body}</div>'
        f"<footer><span>{numbered_title(chapter)}</span><span>{number}</span></footer></section>"
    )


def write_shared_files(chapters: list[Path], out: Path) -> Path:
    """Write what all decks share, and the index.  -> the index.

    Raises
    ------
    ImportError
        If MathJax is not installed.
    """
    package = find_spec("sphinx-mathjax-offline")
    if package is None or package.origin is None:
        raise ImportError("the slides need MathJax; in the clone run: pip install '.[docs]'")
    out.mkdir(parents=True, exist_ok=True)
    mathjax = Path(package.origin).parent / "static" / "mathjax" / "tex-svg.js"
    shutil.copyfile(mathjax, out / "mathjax.js")
    for name in ("slides.css", "slides.js"):
        shutil.copyfile(HERE / name, out / name)
    rows = [f'<li><a href="{c.stem}.html">{_title(c)}</a>{_pdf(out, c)}</li>' for c in chapters]
    index = out / "index.html"
    index.write_text(
        HEAD.format(title="Slides") + '</head>\n<body class="index">\n<h1>Slides</h1>\n'
        "<p>A deck for each chapter. Arrow keys, Page Down or the space bar turn the page.</p>\n"
        "<ul>\n" + "\n".join(rows) + "\n</ul>\n</body>\n</html>\n",
        "utf-8",
    )
    return index


def _title(chapter: Path) -> str:
    return numbered_title(read_chapter(chapter))


def _pdf(out: Path, chapter: Path) -> str:
    name = f"{chapter.stem}.pdf"
    return f' (<a href="{name}">PDF</a>)' if (out / name).exists() else ""


def draw_figures(chapter: Path, folder: Path) -> bool:
    """Run a chapter for its figures, unless they are newer than it.  -> whether they are there."""
    drawn = [f.stat().st_mtime for f in folder.glob(f"{chapter.stem[:2]}_*.svg")]
    if drawn and min(drawn) > chapter.stat().st_mtime:
        return True
    settings = {"TERVIT_BOOK": "1", "TERVIT_TUTORIALS": str(folder)}
    paths = [str(ROOT), str(ROOT / "tutorials"), os.environ.get("PYTHONPATH", "")]
    settings["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    quiet = subprocess.DEVNULL
    command = [sys.executable, str(chapter)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | settings, stdout=quiet, stdin=quiet)
    return done.returncode == 0
