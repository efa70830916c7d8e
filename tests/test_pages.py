"""Pages and chapters are right about files, headings and commands."""

import re
import shlex
from pathlib import Path

import pytest

from tervit_np.cli import make_parser

ROOT = Path(__file__).parents[1]
PAGES = [
    *ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/teaching/*.md"),
    *ROOT.glob("benchmarks/*.md"),
    *ROOT.glob("tutorials/*.md"),
]  # fmt: skip
PAGES.remove(ROOT / "CHANGELOG.md")  # it also names what no longer exists
CHAPTERS = sorted(ROOT.glob("tutorials/[0-9][0-9]_*.py"))
WRITTEN = {"runs", "exercises"}  # folders that commands make
FOLDERS = ROOT, ROOT / "tervit_np", ROOT / "tervit_np" / "exercises"  # where names may start


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def targets(text: str) -> list[tuple[str, str]]:
    """Files and anchors of the links of a page; addresses elsewhere are left out."""
    links = re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text)
    return [(file, anchor) for file, anchor in links if not file.startswith("http")]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_of_a_page_lead_to_files_and_headings(page):
    for file, anchor in targets(page.read_text(encoding="utf-8")):
        target = page.parent / file if file else page
        assert target.exists(), file
        assert not anchor or anchor in anchors(target), f"{file}#{anchor}"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=name_of)
def test_links_of_a_chapter_lead_to_files(chapter):
    links = re.findall(r"<(\.\./[^>]+)>`_", chapter.read_text(encoding="utf-8"))
    for link in links:
        assert (chapter.parent / link).exists(), link


@pytest.mark.parametrize("text", [*PAGES, *CHAPTERS], ids=name_of)
def test_named_files_exist(text):
    names = re.findall(r"`([a-z_]+(?:/\w+)+(?:\.\w+)?)`", text.read_text(encoding="utf-8"))
    folders = {path.name for folder in FOLDERS for path in folder.iterdir() if path.is_dir()}
    for name in names:
        if name.split("/")[0] in folders - WRITTEN and "NAME" not in name:
            assert any((folder / name).exists() for folder in FOLDERS), name


@pytest.mark.parametrize("text", [*PAGES, *CHAPTERS], ids=name_of)
def test_quoted_commands_are_understood(text):
    """Those with an option or an argument: `tervit bench` alone may be a name."""
    lines = (line.removeprefix("# ") for line in text.read_text("utf-8").splitlines())
    for command in re.findall(r"`(?:taskset -c 0 )?tervit ([a-z]+ [^`]+)`", " ".join(lines)):
        make_parser().parse_args(shlex.split(command))
