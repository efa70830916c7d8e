"""Every link of the texts and chapters leads to a page of the book, and every page is listed."""

import re
from textwrap import dedent

import pytest
from tervit_book import links, notebooks, pages, repository

from tervit_np.exercises.tasks import EXERCISES

SOURCES = [pages.FRONT, *repository.TEXTS, *repository.CHAPTERS]


@pytest.fixture(scope="module")
def made():
    return pages.all_pages()


@pytest.mark.parametrize("file", SOURCES)
def test_links_lead_to_pages(file, made):
    text = links.with_page_links(repository.read(file), file)
    names = {name.rpartition(".")[0] for name in made}
    names |= {chapter.removesuffix(".py") for chapter in repository.CHAPTERS}
    if file.endswith(".md"):
        for _, target, _ in links.MARKDOWN.findall(text):
            assert target.startswith("/"), f"{file} links to {target}, which does not exist"
            assert target[1:].rpartition(".")[0] in names, target
    else:
        assert links.RST.findall(text) == [], "links to files that do not exist"
        for target in re.findall(r":doc:`[^`]*? <(/[^>`]+)>`", text):
            assert target[1:] in names, target


def test_links_change_and_nothing_else():
    text = "[a](../tutorials/01_linear.py) [b](teaching.md#grading) ![c](recovery.png) `x[i](y)`"
    assert links.with_page_links(text, "docs/data.md") == (
        "[a](/tutorials/01_linear.rst) [b](/docs/teaching.md#grading) ![c](recovery.png) `x[i](y)`"
    )
    text = "`ops/linear.py <../tervit_np/ops/linear.py>`_, `t <../tests/ops/test_linear.py>`_"
    assert links.with_page_links(text, "tutorials/01_linear.py") == (
        ":doc:`ops/linear.py </reference/tervit_np.ops.linear>`, "
        ":doc:`t </files/tests/ops/test_linear.py>`"
    )


def test_every_text_is_in_the_table_of_contents():
    listed = repository.read(pages.FRONT)
    for file in repository.TEXTS:
        name = file.removesuffix(".md")
        assert re.search(rf"^(.+ <)?{name}>?$", listed, re.M), f"{file} is not in {pages.FRONT}"


def test_pages_are_written_once(tmp_path):
    pages.write_pages(tmp_path)
    stamps = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.rst")}
    (tmp_path / "docs" / "old.md").write_text("a page of yesterday")
    pages.write_pages(tmp_path)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.rst")} == stamps
    assert not (tmp_path / "docs" / "old.md").exists()
    assert (tmp_path / "docs" / "recovery.png").exists()


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.md").write_text("mine")
    with pytest.raises(ValueError, match="not a folder of the book"):
        pages.write_pages(tmp_path)
    assert (tmp_path / "notes.md").read_text() == "mine"


def test_exercises_have_task_and_hints_but_no_solution(made):
    for exercise in EXERCISES:
        page = made[f"exercises/{exercise.name}.rst"]
        assert page.count("<summary>Hint") == 3
        assert f"tervit exercise start {exercise.name}" in page
        assert exercise.solution().strip() not in dedent(page)
        assert f":doc:`{exercise.name}`" in made["exercises/index.rst"]


def test_every_module_that_students_read_has_a_page(made):
    for package in repository.STUDIED:
        for module in repository.modules(package) or [f"tervit_np.{package}"]:
            page = made[f"reference/{module}.rst"]
            assert f".. automodule:: {module}" in page


def test_text_cells_of_notebooks_have_no_rst_left():
    for file in repository.CHAPTERS:
        lines = [line.removeprefix("# ") for line in repository.read(file).split("\n")]
        text = notebooks.without_fields_and_links("\n".join(lines))
        assert "`_" not in text, file
        assert "\n**You will do:** " in text, file
        assert not re.search(r"^:[A-Z]", text, re.M), file
