"""How a gradient check misleads: the page catches what chapter 01 catches."""

import json

import numpy as np
import pytest

from tests.figures.pages import FIGURES, ROOT

NUMBERS = json.loads((ROOT / "docs" / "tutorials.json").read_text())["chapters"]["01_linear"]
CAUGHT = {  # settings of the page for each check of the chapter
    "strict": {},
    "ones": {"upstream": "ones"},
    "W = 0": {"weights": "zeros"},
    "loose": {"precision": "float32", "step": -3, "limit": np.log10(0.02)},
}


@pytest.fixture
def page(browser):
    browser.open(FIGURES / "gradcheck.html")
    return browser


def set_up(page, **settings):
    for name, value in settings.items():
        if name in ("step", "limit"):
            page.run(f"byId('{name}').step = 'any'")
            page.set(f"#{name}", value)
        else:
            page.run(f"document.querySelector('input[name={name}][value={value}]').click()")


def test_the_stored_arrays_are_the_chapter_s():
    import figure_data
    from figure_data import chapters

    assert figure_data.read("gradcheck_arrays") == chapters.gradient_check()


@pytest.mark.parametrize("check", CAUGHT)
def test_as_many_mistakes_are_caught_as_in_the_chapter(page, check):
    set_up(page, **CAUGHT[check])
    caught = NUMBERS["numbers"][f"caught by {check}"]["value"]
    assert page.text("#verdict") == f"{caught:.0f} of 6 mistakes caught; right code passes."


def test_what_passes_with_ones_is_named(page):
    set_up(page, upstream="ones")
    script = (
        "[...document.querySelectorAll('.fault')].map((e) => e.parentElement.cells[0].innerText)"
    )
    assert page.run(script) == ["dy forgotten in dW", "outputs exchanged in dW"]


def test_the_page_s_differences_are_those_of_numpy(page):
    """In float64, for the layer with tanh, both directions."""
    import figure_data

    x, w, dy = (np.array(a) for a in figure_data.read("gradcheck_arrays").values())
    h = 1e-3
    numeric = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        shift = np.zeros_like(x)
        shift[index] = h
        above, below = (np.tanh((x + s * shift) @ w.T) for s in (1, -1))
        numeric[index] = (dy * (above - below)).sum() / (2 * h)
    found = page.run(
        "differences((v) => forward(v, ARRAYS.W, 'tanh', (u) => u), ARRAYS.x, ARRAYS.dy,"
        " 1e-3, 'both', (u) => u)"
    )
    np.testing.assert_allclose(found, numeric, rtol=0, atol=1e-11)


def test_the_answer_quotes_what_the_page_finds(page):
    error = "Math.max(...check(setting(), ARRAYS)['right code']).toExponential(0)"
    set_up(page, precision="float32", step=-3)
    assert page.run(error) == "7e-5"
    set_up(page, limit=-3)
    assert page.text("#verdict") == "6 of 6 mistakes caught; right code passes."
    set_up(page, precision="float64", layer="tanh", step=-1)
    assert page.run(error) == "5e-3"
    assert page.text("#verdict").endswith("right code is accused.")


def test_keys_move_the_step(page):
    page.run("byId('step').focus()")
    page.press("ArrowLeft", 2)
    assert page.text("#step-text") == "10⁻⁶"
    page.press("ArrowRight", 1)
    assert page.text("#step-text") == "3·10⁻⁶"
