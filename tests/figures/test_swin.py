"""Shifted windows: the page masks the pairs that the library masks."""

import json

import numpy as np
import pytest

from tervit_np import ops
from tests.figures.pages import FIGURES, ROOT

CHAPTERS = json.loads((ROOT / "docs" / "tutorials.json").read_text(encoding="utf-8"))["chapters"]
QUOTED = CHAPTERS["16_swin"]["numbers"]


@pytest.fixture
def page(browser):
    browser.open(FIGURES / "swin.html")
    return browser


@pytest.mark.parametrize(("side", "shift"), [(4, 2), (4, 1), (4, 0), (2, 1)])
def test_windows_and_mask_are_the_library_s(page, side, shift):
    numbers = np.roll(np.arange(64).reshape(1, 8, 8, 1), (-shift, -shift), axis=(1, 2))
    windows = ops.window_partition(numbers, side)[..., 0]
    assert page.run(f"windowsOf({shift}, {side})") == windows.tolist()
    allowed = page.run(
        f"windowsOf({shift}, {side}).map((tokens) => tokens.map((_, i) =>"
        f" tokens.map((_, j) => mayAttend(tokens, {side}, i, j))))"
    )
    expected = np.ones((len(windows), side**2, side**2), bool)
    if shift:
        expected = ops.shift_mask(8, 8, side, shift) == 0
    np.testing.assert_array_equal(allowed, expected)


def test_masked_pairs_are_those_of_the_chapter(page):
    assert page.text("#masked") == f"{QUOTED['masked pairs, percent']['value']:.2f} %"
    last = QUOTED["masked pairs of the last window, percent"]["value"]
    assert page.text("#here") == f"{last:.2f} %"


def test_controls_move_windows_and_tokens(page):
    page.run("byId('shift').focus()")
    page.press("Home")
    assert page.text("#masked") == "0.00 %" and page.text("#count") == "16 of 16"
    page.press("ArrowRight", 2)
    page.run("byId('token').focus()")
    page.press("ArrowLeft")
    assert page.text("#token-text") == "62: row 7, column 6" and page.text("#count") == "4 of 16"
    page.run("byId('mask').click()")
    assert page.text("#count") == "16 of 16"
    page.click("#map rect:first-of-type")
    assert page.text("#token-text") == "0: row 0, column 0"


def test_smaller_windows_allow_smaller_shifts(page):
    page.set("#side", 2)
    assert page.run("byId('shift').max") == "1" and page.text("#shift-text") == "1"
