"""Figures of chapters for the book: light and dark, with a description."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from tervit_book.figures import descriptions
from tervit_book.repository import ROOT


def test_every_figure_has_a_description():
    for file in (ROOT / "tutorials" / "tervit_lesson" / "figures").glob("*.py"):
        for name in re.findall(r'\bshow\(\w+, "([\w-]+)"\)', file.read_text("utf-8")):
            assert len(descriptions()[name]) > 20, name


@pytest.fixture
def svgs():
    """A figure with a line, a label, and words on a picture.  -> light and dark SVG."""
    from matplotlib.figure import Figure
    from tervit_lesson.themes import dark_svg, light_svg

    fig = Figure(figsize=(3, 2))
    ax = fig.subplots()
    ax.imshow(np.zeros((2, 2, 3)))
    ax.text(0.5, 0.5, "on the picture", color="#222222")
    ax.set_xlabel("below", color="#333333")
    ax.set_title("title", color="#0072B2")
    return (light := light_svg(fig)), dark_svg(light)


def colours(svg):
    return set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", svg))


def test_a_dark_page_turns_greys_and_lightens_colours(svgs):
    light, dark = map(colours, svgs)
    assert {"#222222", "#333333", "#0072b2"} <= light
    assert "#333333" not in dark
    assert "#0072b2" not in dark
    assert "#222222" in dark  # on the picture, which stays


def test_both_are_whole_and_differ_in_colours_only(svgs):
    light, dark = (list(ElementTree.fromstring(svg).iter()) for svg in svgs)
    assert [e.tag for e in light] == [e.tag for e in dark]
