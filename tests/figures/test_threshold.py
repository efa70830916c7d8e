"""Threshold and scale of one channel: numbers are those of the library and of chapter 12."""

import json

import numpy as np
import pytest

from tervit_np.quant import UniformWeight, ternarize
from tests.figures.pages import FIGURES, ROOT

CHAPTER = json.loads((ROOT / "docs" / "tutorials.json").read_text())["chapters"]["12_three_values"]


@pytest.fixture(scope="module")
def page(browser):
    browser.open(FIGURES / "threshold.html")
    return browser


def choose(page, row, rule):
    page.run(f"document.querySelector('input[value=\"{row}\"]').click()")
    page.click(f"button[value={rule}]")
    return float(page.text("#error"))


@pytest.mark.parametrize("row", ("uniform", "Gaussian", "Laplace"))
def test_best_thresholds_are_those_of_the_chapter(page, row):
    quoted = CHAPTER["numbers"]
    error = choose(page, row, "exact")
    assert error == pytest.approx(quoted[f"{row}, best error"]["value"], abs=6e-4)
    factor = page.run("state.delta / state.row.mean")
    assert factor == pytest.approx(quoted[f"{row}, best threshold / E|w|"]["value"], abs=1e-3)


def test_the_answer_quotes_what_the_page_shows(page):
    text = (FIGURES / "threshold.html").read_text(encoding="utf-8").partition("Answer</summary>")[2]
    for row in ("uniform", "Gaussian", "Laplace"):
        for rule in ("twn", "exact"):
            assert f"{choose(page, row, rule):.3f}" in text, (row, rule)
    choose(page, "Gaussian", "twn")
    page.run("document.querySelector('input[name=scale][value=mean]').click()")
    assert page.text("#error") in text


@pytest.mark.parametrize("row", ("float", "latent"))
def test_rules_are_those_of_the_library(page, row):
    import figure_data

    stored = figure_data.read("threshold_rows")[row]
    w = np.array([stored["codes"]]) * stored["scale"]
    rules = {
        "twn": ternarize(w),
        "exact": ternarize(w, threshold="exact"),
        "absmean": ternarize(w, threshold="absmean", scale="mean"),
        "largest": UniformWeight(2).encode(w),
    }
    for rule, fitted in rules.items():
        shown = choose(page, row, rule)
        expected = np.square(w - fitted.dequantize()).sum() / np.square(w).sum()
        assert shown == pytest.approx(expected, abs=6e-4), rule
        shares = [np.mean(fitted.codes == code) for code in (-1, 0, 1)]
        assert page.text("#codes") == ", ".join(f"{100 * s:.0f} %" for s in shares), rule


def test_stored_rows_are_those_of_the_stored_models():
    import figure_data
    from figure_data import threshold

    made = threshold.trained_rows(figure_data.read("vit_models"))
    assert made == figure_data.read("threshold_rows")


def test_the_slider_and_the_histogram_move_the_threshold(page):
    choose(page, "Gaussian", "twn")
    page.run("byId('delta').focus()")
    page.press("ArrowRight", 5)
    assert page.text("#delta-text") == "0.75 mean |w|"
    page.click("#histogram", 0.5, 0.3)
    assert page.run("state.delta") < 0.1
