"""The straight-through estimator step by step: the page trains as chapter 08 does."""

import json

import numpy as np
import pytest

from tests.figures.pages import FIGURES, ROOT

CHAPTERS = json.loads((ROOT / "docs" / "tutorials.json").read_text())["chapters"]
QUOTED = {n: v.get("value") for n, v in CHAPTERS["08_straight_through"]["numbers"].items()}


@pytest.fixture
def page(browser):
    browser.open(FIGURES / "ste.html")
    return browser


def test_the_stored_task_is_the_chapter_s():
    import figure_data
    from figure_data import chapters

    stored, task = figure_data.read("ste_task"), chapters.straight_through()
    # The products are sums by BLAS, in another order on each processor.
    np.testing.assert_allclose(stored.pop("products"), task.pop("products"), rtol=0, atol=1e-13)
    assert stored == task


def test_the_first_start_is_the_chapter_s(page):
    assert float(page.text("#loss")) == pytest.approx(QUOTED["loss at the start"], abs=6e-4)
    assert float(page.text("#right")) == QUOTED["right codes of 12, at the start"]


# Chapter 08 counts 80 states, from the start to what 79 steps make of it.
@pytest.mark.parametrize(
    ("rule", "right", "loss", "changes"),
    [
        ("straight", 12, 0, QUOTED["code changes in 80 steps"]),
        (
            "truth",
            QUOTED["true gradient, right codes of 12"],
            QUOTED["true gradient, loss after 80 steps"],
            None,
        ),
        (
            "rounded",
            QUOTED["right codes of 12, no latent weights"],
            QUOTED["loss after 80 steps, no latent weights"],
            QUOTED["code changes in 80 steps, no latent weights"],
        ),
    ],
)
def test_eighty_steps_end_as_in_the_chapter(page, rule, right, loss, changes):
    page.run(f"document.querySelector('input[value={rule}]').click()")
    for _ in range(8):
        page.click("#ten")
    page.click("#back")
    assert page.text("#count") == "79"
    assert float(page.text("#right")) == right
    assert float(page.text("#loss")) == pytest.approx(loss, abs=6e-4)
    assert changes is None or float(page.text("#changes")) == changes


def test_all_starts_learn_straight_through_and_none_by_the_true_gradient(page):
    count = """(rule) => TASK.starts.map((start) => {
      let s = stateOf(start, rule, TASK);
      for (let n = 0; n < 80; n++) s = nextState(s, 0.05, rule, TASK);
      return s.codes.filter((t, i) => t === Math.sign(TASK.teacher[i])).length;
    })"""
    assert set(page.run(f"({count})('straight')")) == {12}
    assert max(page.run(f"({count})('truth')")) < 12
    assert max(page.run(f"({count})('rounded')")) < 12


def test_large_steps_need_no_latent_weights_as_the_answer_says(page):
    page.set("#rate", 0.5)
    for rule, right in (("rounded", "12"), ("straight", "11")):
        page.run(f"document.querySelector('input[value={rule}]').click(); go(80)")
        assert page.text("#right") == right


def test_keys_step_and_choose_another_start(page):
    page.run("byId('step').focus()")
    page.press("Enter", 3)
    assert page.text("#count") == "3"
    loss = page.text("#loss")
    page.set("#start", 4)
    assert page.text("#count") == "0" and page.text("#loss") != loss
