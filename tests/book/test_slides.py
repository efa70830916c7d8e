"""Slides show what the chapters say, and nothing on them is cut."""

import re
from pathlib import Path

import pytest

pytest.importorskip("sphinx_gallery", reason="slides need pip install '.[docs]'")
from tervit_slides.deck import slides
from tervit_slides.pages import write_deck, write_shared_files
from tervit_slides.reading import read_chapter

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted(ROOT.glob("tutorials/[0-9][0-9]_*.py"))
FIGURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} 300"><path d="M0 0h9"/></svg>'
CUT = """[...document.querySelectorAll('section')].flatMap((slide, i) => {
  const parts = [...slide.querySelectorAll('.body, pre, .notes')];
  const cut = parts.some((e) => e.scrollHeight > e.clientHeight + 1
                             || e.scrollWidth > e.clientWidth + 1);
  return cut || slide.querySelector('mjx-merror') ? [i + 1] : [];
})"""


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    """Decks of all chapters, with empty figures, some of them wide."""
    figures, out = tmp_path_factory.mktemp("drawn"), tmp_path_factory.mktemp("slides")
    for chapter in CHAPTERS:
        for name in re.findall(
            r"figures/(\w+)\.svg", "".join(s.body for s in slides(read_chapter(chapter)))
        ):
            width = 800 if len(name) % 2 else 400
            (figures / f"{name}.svg").write_text(FIGURE.format(width))
        write_deck(chapter, figures, out)
    write_shared_files(CHAPTERS, out)
    return out


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.stem)
def test_all_questions_figures_and_formulas_are_on_slides(chapter):
    source = chapter.read_text(encoding="utf-8")
    deck = slides(read_chapter(chapter))
    text = "".join(slide.body for slide in deck)
    assert text.count("<img ") == len(set(re.findall(r"^ *draw\.\w+", source, re.MULTILINE)))
    assert sum(slide.kind == "question" for slide in deck) == source.count("\npredict(")
    assert text.count(r"\[") == source.count(".. math::")
    announced = re.findall(r".{30}[:,]</p>(?!(?:<p></p>)?\\\[|<pre>)", text)
    assert announced == [], "words that announce what is not shown"


def test_an_answer_has_the_stored_number_and_the_sentence_behind_it():
    deck = slides(read_chapter(ROOT / "tutorials" / "05_attention.py"))
    asked = next(i for i, slide in enumerate(deck) if "undivided: the largest of 16" in slide.body)
    assert deck[asked].kind == "question" and "0.92" not in deck[asked].body
    answer = deck[asked + 1]
    assert answer.kind == "figure" and "05_scale.svg" in answer.body
    assert "<li>largest weight, K = 256, undivided: 0.9232</li>" in answer.body
    assert "Divided, the largest of 16 weights is about 0.24" in answer.body


def test_nothing_is_cut_and_keys_turn_the_page(browser, decks):
    for chapter in CHAPTERS[::4]:
        browser.open(decks / f"{chapter.stem}.html", 1280, 720)
        browser.wait_for("!!window.MathJax?.startup?.promise")
        browser.run("MathJax.startup.promise.then(() => true)")
        assert (chapter.stem, browser.run(CUT)) == (chapter.stem, [])
        assert browser.problems == []
    browser.press("ArrowRight", 2)
    browser.press("ArrowLeft")
    foot = browser.text(":focus footer")
    assert foot == "20 Reading the paper2"
    browser.open(decks / "05_attention.html", 390, 844)
    assert browser.run("document.documentElement.scrollWidth") == 390
