"""Two losses between two solutions: the page shows what docs/surface_cifar10.json stores."""

import json

import numpy as np
import pytest

from tests.figures.pages import FIGURES, ROOT

STORED = json.loads((ROOT / "docs" / "surface_cifar10.json").read_text(encoding="utf-8"))
CURVES = {curve["name"]: curve for curve in STORED["interpolation"]["curves"]}


@pytest.fixture
def page(browser):
    browser.open(FIGURES / "crossing.html")
    return browser


def test_the_data_are_the_stored_results():
    import figure_data
    from figure_data import stored

    assert figure_data.read("crossing_curves") == stored.crossing_curves()


@pytest.mark.parametrize("x", (-0.5, 0, 0.65, 1, 1.5))
def test_both_losses_at_a_place(page, x):
    page.set("#place", x)
    for name, curve in CURVES.items():
        loss = curve["loss"][int(np.argmin(np.abs(np.array(curve["x"]) - x)))]
        assert page.text(f"#{name}") == f"{loss:.3f}", name


def test_keys_walk_along_the_line(page):
    page.run("byId('place').focus()")
    page.press("ArrowRight", 20)
    assert page.text("#place-text") == "1.00"
    assert float(page.text("#gap").replace("−", "-")) < 0


def test_the_answer_quotes_stored_losses():
    text = (FIGURES / "crossing.html").read_text(encoding="utf-8").partition("Answer</summary>")[2]
    for curve in CURVES.values():
        for x in (0, 1):
            assert f"{curve['loss'][curve['x'].index(x)]:.3f}" in text
    ternary = CURVES["ternary"]
    between = [loss for x, loss in zip(ternary["x"], ternary["loss"], strict=True) if 0 <= x <= 1]
    assert f"equal at {STORED['interpolation']['crossings'][0]:.2f}" in text
    assert max(between) == between[0]  # no barrier


def test_the_stairs_count_codes(page):
    changed = STORED["stairs"]["changed"]
    page.set("#stair", 0)
    assert page.text("#changed") == f"{changed[0]:.0f}"
    page.set("#stair", 80)
    assert page.text("#changed") == f"{changed[-1]:.0f}"
    text = (FIGURES / "crossing.html").read_text(encoding="utf-8")
    assert f"at its ends {changed[0]:.0f} and {changed[-1]:.0f} of" in text
    assert page.text("#codes") == f"{STORED['stairs']['codes']:,}"
