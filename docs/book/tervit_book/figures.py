"""Figures of chapters: those that `show` has saved since the last cell, light and dark."""

import ast
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tervit_book.repository import ROOT

FIGURE = """
.. container:: drawing

   .. image:: /{folder}/{name}.svg
      :alt: {alt}
      :class: only-light
      :loading: lazy

   .. image:: /{folder}/{name}-dark.svg
      :alt: {alt}
      :class: only-dark
      :loading: lazy
"""


class Scraper:
    """Takes the new figures after each cell; called by sphinx-gallery."""

    def __repr__(self) -> str:
        return "Scraper"  # part of Sphinx's cache

    def __call__(self, block: Any, variables: dict[str, Any], settings: dict[str, Any]) -> str:
        """Copy the figures beside the page.  -> their rST."""
        from tervit_lesson import pictures  # the chapter has imported it, and read its settings

        folder = Path(variables["target_file"]).parent / "images"
        shown = []
        while pictures.for_the_book:
            light = pictures.for_the_book.pop(0)
            for file in (light, light.with_name(f"{light.stem}-dark.svg")):
                shutil.copy(file, folder)
            source = folder.relative_to(settings["src_dir"]).as_posix()
            alt = descriptions().get(light.stem, light.stem)
            shown.append(FIGURE.format(folder=source, name=light.stem, alt=alt))
        return "".join(shown)


@cache
def descriptions() -> dict[str, str]:
    """Return what each figure shows: the docstring of the function that draws it."""
    return {
        name: " ".join((ast.get_docstring(function) or "").split("\n\n")[0].split())
        for _, function in _drawing_functions()
        for name in _shown_by(function)
    }


@cache
def figures_of_functions() -> dict[tuple[str, str], list[str]]:
    """Return the figures that each function shows, by module and name."""
    return {(file, f.name): _shown_by(f) for file, f in _drawing_functions()}


def _drawing_functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the functions that draw, each with the name of its module."""
    for file in (ROOT / "tutorials" / "tervit_lesson" / "figures").glob("*.py"):
        for function in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(function, ast.FunctionDef):
                yield file.stem, function


def _shown_by(function: ast.FunctionDef) -> list[str]:
    """Return the names of the figures that a function shows."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    return [
        call.args[1].value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "show"
        if isinstance(call.args[1], ast.Constant)
    ]
