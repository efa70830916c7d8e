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
INK, FAINT = "#222222", "#B8B8B8"
_OTHER = ("#56B4E9", "#D55E00", "#CC79A7", "#7F7F7F")

_SETTINGS: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.labelcolor": INK,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "text.color": INK,
    "axes.grid": False,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "figure.dpi": 144,
    "savefig.facecolor": "white",
}


def stage_colour(stage: str, index: int = 0) -> str:
    """Return the colour of a stage, by position if its name has none."""
    return STAGE_COLOURS.get(stage, _OTHER[index % len(_OTHER)])


@contextmanager
def figure(width: float, height: float, math: bool = False, **options: Any) -> Iterator["Figure"]:
    """Yield a figure in the common style; width and height are in inches.

    A name such as "$5" is text. With `math`, what is between dollar signs is a formula, as in
    the labels of logarithmic axes.

    Raises
    ------
    ValueError
        In place of any error of Matplotlib, of which there are many kinds.
    """
    matplotlib = import_matplotlib()
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS | {"text.parse_math": math})
        try:
            yield Figure(figsize=(width, height), layout="constrained", **options)
        except (OSError, MemoryError):
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"a figure could not be drawn ({reason})") from error


def save(figure: "Figure", path: Path) -> Path:
    """Write a PNG atomically."""
    with atomic_write(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # characters that the font lacks become boxes
        figure.savefig(file, format="png", dpi=144)
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
