"""A figure as SVG, for a light and for a dark page of the book.

On a dark page greys are turned round and dark colours become lighter. What is
drawn on a picture or on coloured cells keeps its colour, as they keep theirs.
"""

import colorsys
import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DARKEST, LIGHTEST = 0.075, 0.93  # of a dark page
GREY = 0.1  # range of the three channels of what counts as grey
AS_IS = "as-is"  # marks a group that keeps its colours
SVG, LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


def light_svg(fig: "Figure") -> str:
    """Return a figure as SVG with a transparent background."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(fig).draw()  # now everything has its place
    for ax in fig.axes:
        for artist in _on_pictures(ax):
            artist.set_gid(AS_IS)
    file = io.StringIO()
    options = {"svg.hashsalt": "tervit_np"}  # the same names in each build
    with matplotlib.rc_context(options):
        fig.savefig(
            file,
            format="svg",
            transparent=True,
            dpi=192,
            metadata={"Date": None},
        )
    return file.getvalue()


def dark_svg(light: str) -> str:
    """Return the SVG of `light_svg` in the colours of a dark page."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", LINK)
    root = ElementTree.fromstring(light)
    root.set("fill", _on_dark("#000000"))  # Matplotlib leaves black out
    _darken(root)
    return ElementTree.tostring(root, encoding="unicode")


def _on_pictures(ax: "Axes") -> "list[Artist]":
    """Return what lies on the pictures of an axes."""
    pictures = [image.get_extent() for image in ax.images]
    drawn = [*ax.texts, *ax.lines, *ax.patches]
    return [a for a in drawn if any(_within(a, ax, p) for p in pictures)]


def _within(
    artist: "Artist", ax: "Axes", extent: tuple[float, float, float, float]
) -> bool:
    """Return whether the middle of an artist is within a picture."""
    box = artist.get_window_extent()
    middle = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    x, y = ax.transData.inverted().transform(middle)
    left, right, bottom, top = extent
    in_columns = min(left, right) <= x <= max(left, right)
    return in_columns and min(bottom, top) <= y <= max(bottom, top)


def _darken(element: ElementTree.Element) -> None:
    """Change the colours of an element and of all that it contains."""
    if element.get("id") == AS_IS:
        element.set("fill", "#000000")
        return
    style = element.get("style")
    if style:
        colour = r"\b(fill|stroke): (#[0-9a-f]{6})"
        element.set("style", re.sub(colour, _dark_style, style))
    for child in element:
        _darken(child)


def _dark_style(match: re.Match[str]) -> str:
    return f"{match[1]}: {_on_dark(match[2])}"


def _on_dark(colour: str) -> str:
    """Return the colour of a dark page for one of a light page."""
    rgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    hue, lightness, saturation = colorsys.rgb_to_hls(*rgb)
    turned = LIGHTEST - lightness * (LIGHTEST - DARKEST)
    if max(rgb) - min(rgb) < GREY:
        rgb = [turned] * 3
    elif lightness > 0.75:  # a tint, of a background
        rgb = colorsys.hls_to_rgb(hue, max(turned, 0.2), 0.6 * saturation)
    elif lightness < 0.5:
        rgb = colorsys.hls_to_rgb(hue, 0.5, 0.7 * saturation)  # else neon
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)
