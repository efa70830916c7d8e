import re

import numpy as np
import pytest
from PIL import Image

from tervit_np.analysis.style import FAINT, INK, STAGE_COLOURS, THEME, css_colour, theme_css
from tervit_np.analysis.svg import chart


def draw(fig, is_narrow):
    ax = fig.subplots()
    ax.plot([0, 1, 2], [3, 4, 5.123456], "o-", color=STAGE_COLOURS["float"], mfc="white")
    ax.set_title("wide $5" if not is_narrow else "narrow <b>", color=STAGE_COLOURS["8-bit"])
    ax.annotate("\x1b\ufffe猫", (1, 4), color=INK)


@pytest.fixture
def made(tmp_path):
    return chart(draw, tmp_path / "x.png", wide=(7.2, 3.0), narrow=4.0)


def test_both_forms_and_the_png_are_drawn(made, tmp_path):
    assert Image.open(tmp_path / "x.png").size == (1036, 432)
    assert re.match(r'<svg viewBox="0 0 518\.4 216">', made.wide)
    assert re.match(r'<svg viewBox="0 0 350 288">', made.narrow)
    assert ">wide $5</text>" in made.wide
    assert ">narrow &lt;b&gt;</text>" in made.narrow


def test_colours_are_variables_and_text_has_its_own(made):
    for svg in made:
        assert not re.search("#[0-9a-f]{6}", svg)
        assert "stroke:var(--float)" in svg
        assert "fill:var(--paper)" in svg
        assert re.search(r"<text [^>]*fill:var\(--8-bit-text\)", svg)


def test_nothing_is_kept_that_a_page_does_not_need(made):
    for svg in made:
        assert not re.search(r"<style|<metadata|xmlns|font-family|<g id|\n", svg)
        assert not re.search(r"\d\.\d{3}", svg)


def test_names_cannot_break_the_page(made):
    assert "\x1b" not in made.wide and "\ufffe" not in made.wide
    assert "猫" in made.wide


def test_identifiers_differ_between_the_forms(made):
    wide, narrow = (set(re.findall(r' id="(\w+)"', svg)) for svg in made)
    assert wide and narrow and not wide & narrow


def test_a_colour_outside_the_theme_is_refused(tmp_path):
    def red(fig, is_narrow):
        fig.subplots().plot([0, 1], [0, 1], color="#ff0000")

    with pytest.raises(ValueError, match="#ff0000 is not in the theme"):
        chart(red, tmp_path / "x.png", wide=(4, 3), narrow=3)
    with pytest.raises(ValueError, match="not in the theme"):
        css_colour("#ABCDEF")


def luminance(colour):
    """Relative luminance (WCAG 2)."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", sorted(THEME.keys() - {"paper", "faint"}))
def test_text_can_be_read_on_light_and_dark_pages(name):
    _, text, dark = THEME[name]
    assert contrast(text, THEME["paper"][0]) >= 4.5
    assert contrast(dark, THEME["paper"][2]) >= 4.5


def test_every_colour_is_a_variable_of_the_page():
    css = theme_css()
    light, dark = css.split("@media")
    for name, (colour, _, night) in THEME.items():
        assert f"--{name}:{colour};" in light
        assert f"--{name}:{night};" in dark
        assert css_colour(colour) == f"var(--{name})"
    assert css_colour(FAINT, text=True) == "var(--faint-text)"
