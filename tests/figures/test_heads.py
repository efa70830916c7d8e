"""Reshape against transpose: the page puts numbers where NumPy does."""

import numpy as np
import pytest

from tests.figures.pages import FIGURES


@pytest.fixture
def page(browser):
    browser.open(FIGURES / "heads.html")
    return browser


@pytest.mark.parametrize(("T", "H", "K"), [(4, 3, 2), (5, 2, 3), (3, 2, 1)])
def test_both_arrays_are_numpy_s(page, T, H, K):
    for name, number in (("tokens", T), ("heads", H), ("width", K)):
        page.set(f"#{name}", number)
    x = np.arange(T * H * K).reshape(T, H * K)
    arrays = {"right": x.reshape(T, H, K).transpose(1, 0, 2), "wrong": x.reshape(H, T, K)}
    for name, array in arrays.items():
        texts = f"[...document.querySelectorAll('#{name} text')].map((e) => e.textContent)"
        shown = [int(text) for text in page.run(texts) if not text.startswith("[")]
        assert shown == array.ravel().tolist(), name


def test_keys_and_presses_choose_a_number(page):
    page.run("byId('number').focus()")
    page.press("ArrowRight")
    assert page.text("#number-text") == "8: token 1, head 1"
    assert page.text("#right-place") == "Number 8 is at [1, 1, 0]."
    assert page.text("#wrong-place") == "Number 8 is at [1, 0, 0]."
    page.click("#wrong rect:first-of-type")
    assert page.text("#number-text") == "0: token 0, head 0"


def test_the_answer_is_what_the_page_shows(page):
    first = "[...document.querySelectorAll('#wrong text')].slice(1, 9).map((e) => +e.textContent)"
    places = page.run(f"{first}.map((n) => meaning(n, sizes()))")
    assert [(p["token"], p["head"]) for p in places[::2]] == [(0, 0), (0, 1), (0, 2), (1, 0)]
