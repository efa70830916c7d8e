"""Figures of a chapter: saved always, shown in cells or on a screen."""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tervit_lesson.settings import OUT, is_set
from tervit_lesson.themes import dark_svg, light_svg

from tervit_np.analysis.style import figure as style_figure
from tervit_np.analysis.style import save, stage_colour

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "figure", "show", "stage_colour"]
figure = partial(style_figure, math=True)  # chapters write formulas in labels
COLOURS = tuple(stage_colour("", i) for i in range(4))  # not of stages
for_the_book: list[Path] = []  # figures that the book has not taken yet


def show(fig: "Figure", name: str) -> Path:
    """Save a figure as OUT/<name>.png and print its path.

    In a notebook cell the figure is also displayed. With TERVIT_SHOW=1 the
    picture viewer opens it if there is a screen; the chapter does not wait.
    With TERVIT_BOOK=1 it is saved for the book instead, and nothing printed.
    """
    OUT.mkdir(parents=True, exist_ok=True)
    if is_set("TERVIT_BOOK"):
        return _for_the_book(fig, OUT / f"{name}.svg")
    path = save(fig, OUT / f"{name}.png")
    inside = path.is_relative_to(Path.cwd())
    print(f"figure: {path.relative_to(Path.cwd()) if inside else path}")
    if _in_cells():
        from IPython.display import Image, display

        display(Image(str(path)))
    elif is_set("TERVIT_SHOW"):
        _open(path)
    return path


def _for_the_book(fig: "Figure", path: Path) -> Path:
    """Save a figure as <name>.svg and <name>-dark.svg."""
    light = light_svg(fig)
    path.write_text(light, encoding="utf-8")
    dark = path.with_name(f"{path.stem}-dark.svg")
    dark.write_text(dark_svg(light), encoding="utf-8")
    for_the_book.append(path)
    return path


def _in_cells() -> bool:
    """Return whether an editor or a notebook runs the script by cells."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config


def _open(path: Path) -> None:
    """Open a picture in the system's viewer, if there is a screen."""
    if sys.platform == "win32":
        os.startfile(path)
        return
    mac = sys.platform == "darwin"
    opener = shutil.which("open" if mac else "xdg-open")
    screens = os.environ.get("DISPLAY"), os.environ.get("WAYLAND_DISPLAY")
    if opener and (mac or any(screens)):
        quiet = subprocess.DEVNULL
        subprocess.Popen([opener, str(path)], stdout=quiet, stderr=quiet)
