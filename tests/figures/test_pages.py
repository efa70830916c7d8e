"""What holds for every moving figure of the book, in a browser."""

import re

import pytest

from tests.figures.pages import BEYOND_AXES, BOOK, FAINT_TEXTS, FIGURES, FOCUSED, PAGES, ROOT

FOCUSABLE = {
    "button", "slider", "radio", "checkbox", "combobox", "textbox", "link", "spinbutton",
    "ColorWell", "DisclosureTriangle",
}  # fmt: skip


def text_of(page):
    return (FIGURES / f"{page}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_its_chapter_and_asks(page):
    text = text_of(page)
    links = re.findall(r'<p class="chapter">.*href="../../../(tutorials/\w+\.py)"', text)
    assert links and all((ROOT / link).exists() for link in links)
    assert '<div class="question"><b>' in text and '<details class="answer">' in text


def test_the_index_lists_every_page_with_its_chapter():
    found = dict(re.findall(r'href="(\w+)\.html">[^<]+</a>, chapter (\d\d)', text_of("index")))
    chapters = {page: re.search(r"tutorials/(\d\d)", text_of(page))[1] for page in PAGES}
    assert found == chapters
    assert list(found.values()) == sorted(found.values())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_only_files_that_are_here(page):
    for file in re.findall(r'(?:src|href)="([^"#]+)"', text_of(page)):
        assert (FIGURES / file).exists(), file


@pytest.mark.parametrize(
    ("width", "dark"),  # the width moves things, the theme colours them
    [
        pytest.param(1280, False, id="1280-light"),
        pytest.param(390, True, id="390-dark"),
        pytest.param(1280, True, id="1280-dark", marks=pytest.mark.slow),
        pytest.param(390, False, id="390-light", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_its_screen_and_can_be_read(browser, page, width, dark):
    browser.open(FIGURES / f"{page}.html", width, dark=dark)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run(FAINT_TEXTS) == []
    assert browser.problems == []


@pytest.mark.parametrize("page", PAGES)
def test_curves_end_where_their_axes_end(browser, page):
    browser.open(FIGURES / f"{page}.html")
    assert browser.run(BEYOND_AXES) == []


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_draws_has_a_caption(page):
    assert "<figcaption>" in text_of(page)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_used_with_a_keyboard_and_a_screen_reader(browser, page):
    browser.open(FIGURES / f"{page}.html")
    check_names(browser)
    check_order_of_focus(browser)


def test_a_page_in_a_frame_says_its_height_and_takes_the_theme(browser, tmp_path):
    """The book shows figures in frames; its script is docs/book/static/book.js."""
    script = (BOOK / "static" / "book.js").resolve().as_uri()
    frame = (FIGURES / "heads.html").resolve().as_uri()
    around = tmp_path / "around.html"
    around.write_text(
        f'<body data-theme="dark"><iframe class="moving" src="{frame}"></iframe>'
        f'<script src="{script}"></script>'
    )
    browser.open(around)
    browser.wait_for("document.querySelector('iframe').clientHeight > 500")
    theme = "document.documentElement.dataset.theme"
    assert browser.run_in_frame(theme) == "dark"
    browser.run("document.body.dataset.theme = 'light'")
    browser.run("new Promise((done) => setTimeout(done, 300))")
    assert browser.run_in_frame(theme) == "light"
    assert not browser.run_in_frame("document.querySelector('h1').checkVisibility()")
    assert browser.problems == []


def check_names(browser):
    nodes = browser.command("Accessibility.getFullAXTree")["nodes"]
    shown = [node for node in nodes if not node.get("ignored")]
    named = [node for node in shown if node["role"]["value"] in FOCUSABLE | {"image", "img"}]
    assert named
    for node in named:
        assert node.get("name", {}).get("value", "").strip(), node


def check_order_of_focus(browser):
    """The Tab key goes through the page from top to bottom."""
    seen, tops = [], []
    for _ in range(60):
        browser.press("Tab")
        focused = browser.run(FOCUSED)
        if not focused:
            break
        seen.append(focused)
        top = "document.activeElement.closest('main > *, main').getBoundingClientRect().top"
        tops.append(browser.run(f"{top} + scrollY"))
    assert len(seen) >= 3
    assert tops == sorted(tops), list(zip(seen, tops, strict=True))
