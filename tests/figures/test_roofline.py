"""Roofline and inner loops: the page computes with what docs/bench_zen4.json stores."""

import json
import math

import pytest

from tests.figures.pages import FIGURES, ROOT

STORED = json.loads((ROOT / "docs" / "bench_zen4.json").read_text(encoding="utf-8"))
MEASURED = STORED["variants"]["results"]
CHAPTERS = json.loads((ROOT / "docs" / "tutorials.json").read_text(encoding="utf-8"))["chapters"]
QUOTED = CHAPTERS["18_integer_kernels"]["numbers"]


@pytest.fixture
def page(browser):
    browser.open(FIGURES / "roofline.html")
    return browser


def row_of(page, name):
    rows = page.run(
        "[...document.querySelectorAll('#times tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    return next(row for row in rows if row[0] == name)


def test_the_data_are_the_stored_results():
    import figure_data
    from figure_data import stored

    assert figure_data.read("roofline_measured") == stored.roofline_measured()


@pytest.mark.parametrize("tokens", (1, 197))
@pytest.mark.parametrize("name", ("ternary", "8 bits"))
def test_gains_are_those_of_the_chapter(page, tokens, name):
    page.run("byId('tokens').step = 'any'")
    page.set("#tokens", math.log2(tokens))
    gain = QUOTED[f"tokens: {tokens}, {name}: times faster"]["value"]
    assert row_of(page, name)[4] == f"{gain:.1f}"


def test_the_answer_says_from_how_many_tokens_on_operations_decide(page):
    first = (
        "(name) => { let t = 1; while (best(t, FORMATS[name]).limit === 'bytes') t++; return t; }"
    )
    found = {name: page.run(f"({first})('{name}')") for name in ("float32", "8 bits", "ternary")}
    answer = (
        f"Float32 from {found['float32']} tokens on, 8 bits from {found['8 bits']}, "
        f"ternary from {found['ternary']}."
    )
    assert answer in (FIGURES / "roofline.html").read_text(encoding="utf-8")


def test_keys_move_the_tokens_until_operations_decide(page):
    assert row_of(page, "ternary")[3] == "bytes"
    page.run("byId('tokens').focus()")
    page.press("End")
    assert page.text("#tokens-text") == "256"
    assert row_of(page, "ternary")[3] == row_of(page, "float32")[3] == "operations"


@pytest.mark.parametrize("variant", MEASURED["variants"][:-1], ids=lambda v: v["name"])
def test_a_variant_shows_its_speed_and_its_inner_loop(page, variant):
    page.run(f"document.querySelector('input[value={variant['name']}]').click()")
    percent = f"{variant['speed']:.0f}, {100 * variant['fraction_of_peak']:.0f} %"
    assert percent in page.text("#ladder")
    cells = page.run(
        "[...document.querySelectorAll('#instructions tr')]"
        ".map((row) => [row.cells[0].textContent, +row.cells[1].textContent])"
    )
    assert dict(cells) == variant["loop"]
