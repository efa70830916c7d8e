"""One style for all figures: float is blue, 8 bit orange, ternary green, everywhere.

The colours (Okabe, Ito 2008) differ for the colour-blind and in grey print too. Figures are drawn
without pyplot, which needs no window system, and with Matplotlib's defaults in place of the user's:
a figure is written at the end of long work, and no setting, backend or name must prevent it.
"""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tervit_np.files import atomic_write

if TYPE_CHECKING:
    from types import ModuleType

    from matplotlib.figure import Figure

STAGE_COLOURS = {"float": "#0072B2", "8-bit": "#E69F00", "4-bit": "#CC79A7", "ternary": "#009E73"}
INK, TICK, SOFT, FAINT, PAPER = "#222222", "#444444", "#666666", "#B8B8B8", "#FFFFFF"
_OTHER = ("#56B4E9", "#D55E00", "#CC79A7", "#7F7F7F")

# On a page the colours are CSS variables: --NAME, and --NAME-text for text in that colour.
# Their values: in figures and on light pages, as text on light pages, on dark pages.
THEME: dict[str, tuple[str, str, str]] = {
    "ink": (INK, INK, "#E8E8E8"),
    "tick": (TICK, TICK, "#C4C8CC"),
    "soft": (SOFT, "#5F6368", "#A9AFB5"),
    "faint": (FAINT, FAINT, "#51575E"),
    "paper": (PAPER, PAPER, "#17191C"),
    "float": (STAGE_COLOURS["float"], "#00649D", "#5CB3EA"),
    "8-bit": (STAGE_COLOURS["8-bit"], "#8A5A00", "#F0B43C"),
    "4-bit": (STAGE_COLOURS["4-bit"], "#9D4377", "#DE9AC3"),
    "ternary": (STAGE_COLOURS["ternary"], "#007052", "#35C79B"),
    "sky": (_OTHER[0], "#1B6A98", "#56B4E9"),
    "vermilion": (_OTHER[1], "#B34A00", "#F08A4B"),
    "grey": (_OTHER[3], "#666666", "#9A9FA5"),
}

_SETTINGS: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "xtick.color": TICK,
    "ytick.color": TICK,
    "text.color": INK,
    "axes.grid": False,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "figure.dpi": 144,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",  # text stays text
}


def theme_css() -> str:
    """Return the CSS variables of the theme, for light pages and for dark ones."""
    light = "".join(f"--{n}:{c};--{n}-text:{text};" for n, (c, text, _) in THEME.items())
    dark = "".join(f"--{n}:{c};--{n}-text:{c};" for n, (_, _, c) in THEME.items())
    return f":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"


def css_colour(colour: str, text: bool = False) -> str:
    """Return the CSS variable of a colour of figures.

    Raises
    ------
    ValueError
        If the colour is not in the theme: it would look the same on light and on dark pages.
    """
    names = {figure.upper(): name for name, (figure, _, _) in THEME.items()}
    if colour.upper() not in names:
        raise ValueError(f"the colour {colour} is not in the theme of pages")
    return f"var(--{names[colour.upper()]}{'-text' if text else ''})"


def stage_colour(stage: str, index: int = 0) -> str:
    """Return the colour of a stage, by position if its name has none."""
    return STAGE_COLOURS.get(stage, _OTHER[index % len(_OTHER)])


@contextmanager
def figure(
    width: float, height: float, math: bool = False, ids: str | None = None, **options: Any
) -> Iterator["Figure"]:
    """Yield a figure in the common style; width and height are in inches.

    A name such as "$5" is text. With `math`, what is between dollar signs is a formula, as in
    the labels of logarithmic axes. The identifiers of an SVG begin with a hash of `ids`: several
    on one page must not have the same.

    Raises
    ------
    ValueError
        In place of any error of Matplotlib, of which there are many kinds.
    """
    matplotlib = import_matplotlib()
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS | {"text.parse_math": math, "svg.hashsalt": ids})
        try:
            yield Figure(figsize=(width, height), layout="constrained", **options)
        except (OSError, MemoryError):
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"a figure could not be drawn ({reason})") from error


def save(figure: "Figure", path: Path, about: str = "") -> Path:
    """Write a PNG atomically; `about` becomes the description in the file."""
    with atomic_write(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # characters that the font lacks become boxes
        figure.savefig(file, format="png", dpi=144, metadata={"Description": about or None})
    return path


def import_matplotlib() -> "ModuleType":
    """Import Matplotlib, whatever MPLBACKEND is: notebooks set it for all commands they start.

    Matplotlib refuses to be imported with a backend that is not installed.
    """
    requested = os.environ.get("MPLBACKEND")
    if requested is None or "matplotlib" in sys.modules:
        import matplotlib

        return matplotlib
    del os.environ["MPLBACKEND"]
    try:
        import matplotlib
    finally:
        os.environ["MPLBACKEND"] = requested
    with suppress(ValueError):
        matplotlib.rcParams["backend"] = requested
    return matplotlib
