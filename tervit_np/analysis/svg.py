"""Charts as SVG whose colours are those of the page, so that one drawing serves light and dark.

Matplotlib writes the SVG. Here its colours become the CSS variables of style.THEME, its fonts the
page's, and what a page does not need is left out: names of elements, metadata, digits below a
hundredth of a point. Every chart is drawn twice, wide and narrow, since shrinking a wide one to the
width of a phone would shrink its letters, too.
"""

import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree

from data_tools.terminal import printable
from tervit_np.analysis.style import css_colour, figure, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARGIN = 0.09  # inches, left and right
NARROW = 350 / 72  # inches, of 72 units each: on a phone of 390 pixels a unit is about a pixel
_NO_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
_KEPT_IN_TEXT = ("font-size", "font-weight", "text-anchor", "fill")


class Chart(NamedTuple):
    """A figure as two SVG elements."""

    wide: str
    narrow: str


def chart(
    draw: Callable[["Figure", bool], None],
    path: Path,
    *,
    wide: tuple[float, float],
    narrow: float,
) -> Chart:
    """Draw a figure wide and narrow; write the wide one as a PNG.  -> both as SVG.

    `draw(figure, is_narrow)` fills a figure of `wide` (width, height) inches, or of NARROW by
    `narrow` inches.

    Raises
    ------
    ValueError
        If it cannot be drawn, or has a colour that is not in the theme.
    """
    svgs = []
    for is_narrow, size in ((False, wide), (True, (NARROW, narrow))):
        with figure(*size, ids=f"{path.stem}{is_narrow}") as fig:
            draw(fig, is_narrow)
            _lay_out(fig)
            if not is_narrow:
                save(fig, path)
            svgs.append(to_svg(fig))
    return Chart(*svgs)


def _lay_out(fig: "Figure") -> None:
    """Arrange the parts of a figure once; Matplotlib would do it again for each file.

    The page's font may be larger than the one that Matplotlib measures, hence the margin.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    engine = fig.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(w_pad=MARGIN)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # characters that the font lacks
            engine.execute(fig)
        fig.set_layout_engine("none")


def to_svg(fig: "Figure") -> str:
    """Return a figure as an SVG element for a page."""
    file = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # characters that the font lacks
        fig.savefig(file, format="svg", facecolor="none", metadata=_METADATA)
    root = ElementTree.fromstring(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", file.getvalue()))
    for element in root.iter():
        _simplify(element)
    box = root.get("viewBox", "")
    root.attrib.clear()
    root.set("viewBox", box)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _simplify(element: ElementTree.Element) -> None:
    """Drop namespaces, names and styles that are not needed; shorten numbers; theme colours."""
    element.tag = element.tag.rpartition("}")[2]
    for child in [c for c in element if c.tag.endswith("}style") or c.tag.endswith("}metadata")]:
        element.remove(child)
    for key in list(element.attrib):
        value, name = element.attrib.pop(key), key.rpartition("}")[2]
        if name == "style":
            value = _style(value, element.tag == "text")
        elif name in ("d", "x", "y", "width", "height", "transform"):
            value = _short(value)
        if not (name == "id" and element.tag == "g") and not value.startswith("rotate(0 "):
            element.set(name, value)
    if element.tag == "text" or element.tag == "tspan":
        element.text = printable(element.text or "")
    else:
        element.text = None
    element.tail = None


def _style(style: str, text: bool) -> str:
    """Replace colours by variables; of text keep what the page does not decide."""
    pairs = [part.strip().partition(":") for part in style.split(";") if part.strip()]
    kept = []
    for name, _, value in pairs:
        value = value.strip()
        if value.startswith("#"):
            value = css_colour(value, text)
        if not text or name in _KEPT_IN_TEXT:
            kept.append(f"{name}:{value}")
    return ";".join(kept)


def _short(numbers: str) -> str:
    """Round the numbers of a path to hundredths, and join its lines."""
    rounded = re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), numbers)
    return " ".join(rounded.replace("-0 ", "0 ").split())
