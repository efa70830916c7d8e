"""LayerNorm's circle: gradients of the page are those of the library."""

import numpy as np
import pytest

from tervit_np import ops
from tests.figures.pages import FIGURES


@pytest.fixture
def page(browser):
    browser.open(FIGURES / "layernorm.html")
    return browser


def test_the_gradient_is_the_library_s(page):
    state = page.run("current()")
    x, g = np.array([state["x"]]), np.array([state["g"]])
    y, cache = ops.layernorm(x, np.ones(3), np.zeros(3), 0)
    np.testing.assert_allclose(state["cache"]["xhat"], y[0], rtol=0, atol=1e-12)
    dx = ops.layernorm_backward(g, cache)[0][0]
    np.testing.assert_allclose(state["dx"], dx, rtol=0, atol=1e-12)
    np.testing.assert_allclose(state["truth"], dx, rtol=0, atol=1e-8)


def test_the_constant_and_the_distance_do_not_change_the_output(page):
    before = page.run("current().cache.xhat")
    page.set("#mean", 2.5)
    page.set("#length", 1.2)
    np.testing.assert_allclose(page.run("current().cache.xhat"), before, rtol=0, atol=1e-12)
    assert page.text("#mu") == "2.50"


def test_half_the_distance_doubles_the_gradient(page):
    page.set("#length", 2)
    once = np.array(page.run("current().dx"))
    page.set("#length", 1)
    np.testing.assert_allclose(page.run("current().dx"), 2 * once, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mistake", ("mu", "std", "both"))
def test_mistakes_leave_a_part_and_are_caught(page, mistake):
    assert page.text("#verdict").startswith("✓")
    assert page.text("#along-ones") == page.text("#along-xhat") == "0.00"
    page.run(f"document.querySelector('input[value={mistake}]').click()")
    assert page.text("#verdict").startswith("✗")
    assert (page.text("#along-ones") == "0.00") == (mistake == "std")
    assert (page.text("#along-xhat") == "0.00") == (mistake == "mu")


def test_the_point_can_be_dragged_and_moved_by_keys(page):
    page.click("#circle", 0.5, 0.2)
    assert page.text("#angle-text") == "90°"
    page.run("byId('angle').focus()")
    page.press("ArrowRight", 3)
    assert page.text("#angle-text") == "93°"
