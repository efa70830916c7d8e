"""The extension of Sphinx that makes the book's pages from the repository.

    repository files of the repository and their pages
    links      links between files, as links between pages
    pages      the folder that Sphinx reads
    exercises  pages of the exercises
    moving     pages of the figures that move
    reference  pages of the package's modules
    plain      plain text, as in docstrings, as rST
    chapters   numbers of chapters, downloads; "chapter 05" becomes a link
    figures    figures of chapters
    notebooks  their text as Markdown
    order      which chapter runs first
    progress   lines that say how far a build is
    rerun      chapters that must run again
    dead       links of the built pages that lead nowhere, and what they load from elsewhere

Sphinx reads a folder that `pages` fills and to which sphinx-gallery adds the chapters. It mirrors
the repository: docs/data.md is the page docs/data, tutorials/01_linear.py is tutorials/01_linear.
"""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect the steps to the events of a build."""
    from tervit_book import chapters, dead, progress, reference

    app.connect("config-inited", write_sources)
    app.connect("source-read", chapters.prepare_chapter)
    app.connect("doctree-read", chapters.link_chapters)
    app.connect("autodoc-process-docstring", reference.docstring_as_rst, priority=100)
    app.connect("autodoc-process-signature", reference.signature_as_written)
    app.connect("autodoc-skip-member", reference.skip_fields)
    app.connect("env-before-read-docs", progress.reading)
    app.connect("env-updated", progress.writing)
    app.connect("build-finished", copy_scripts)
    app.connect("build-finished", dead.report)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_sources(app: "Sphinx", config: Any) -> None:
    """Fill the folder that Sphinx reads (an event of Sphinx, before it reads)."""
    from tervit_book import pages, rerun

    folder = Path(app.srcdir)
    pages.write_pages(folder)
    rerun.forget_outdated_runs(folder)
    os.environ["TERVIT_TUTORIALS"] = str(folder / "runs")


def copy_scripts(app: "Sphinx", error: Exception | None) -> None:
    """Copy the one file of MathJax that pages load, which contains its fonts, and the figures."""
    from tervit_book import moving

    package = find_spec("sphinx-mathjax-offline")
    if error is None and package is not None and package.origin is not None:
        file = Path(package.origin).parent / "static" / "mathjax" / "tex-svg.js"
        shutil.copyfile(file, Path(app.outdir) / "_static" / "mathjax.js")
        moving.copy_figures(Path(app.outdir))
