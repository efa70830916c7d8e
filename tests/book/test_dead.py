"""A built page with a dead link, or with a file from elsewhere, is found."""

import pytest
from tervit_book import dead


def problems(folder, body):
    (folder / "other.html").write_text('<h1 id="here">Here</h1>')
    (folder / "page.html").write_text(body)
    return list(dead.problems(folder))


def test_links_to_pages_and_places_are_right(tmp_path):
    body = (
        '<p id="up"></p><a href="other.html#here"></a><a href="#up"></a><a href="other.html"></a>'
    )
    assert problems(tmp_path, body + '<a href="https://example.org/">elsewhere</a>') == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="gone.html">', "page.html: gone.html does not exist"),
        ('<img src="gone.png">', "page.html: gone.png does not exist"),
        ('<a href="other.html#gone">', "page.html: other.html#gone has no such place"),
        ('<a href="#gone">', "page.html: #gone has no such place"),
        ('<script src="https://cdn.example/x.js">', "page.html: loads https://cdn.example/x.js"),
        ('<img src="//example.org/x.png">', "page.html: loads //example.org/x.png"),
        (
            '<link href="https://fonts.example/f.css">',
            "page.html: loads https://fonts.example/f.css",
        ),
    ],
)
def test_each_kind_of_problem_is_named(tmp_path, body, problem):
    assert problems(tmp_path, body) == [problem]


def test_style_sheets_load_nothing_from_elsewhere(tmp_path):
    (tmp_path / "a.css").write_text("@import url('https://fonts.example/f.css');")
    (tmp_path / "b.css").write_text("p { background: url(data:image/png;base64,xx) }")
    assert problems(tmp_path, "") == ["a.css: loads https://fonts.example/f.css"]
