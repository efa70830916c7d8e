"""The folder that Sphinx reads: texts of the repository, and pages made from its code."""

import os
import re
import shutil
from pathlib import Path

from tervit_book import exercises, moving, reference
from tervit_book.links import linked_files, with_page_links
from tervit_book.plain import code_block
from tervit_book.repository import CHAPTERS, ROOT, TEXTS, page_of, read

IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s:]+)\)")
FRONT = "docs/book/index.md"
MARK = ".tervit-book"
CHAPTER_LIST = "tutorials/README.md"
LANGUAGES = {".py": "python", ".toml": "toml", ".json": "json", ".cff": "yaml"}


def write_pages(folder: Path) -> None:
    """Make the folder hold all pages but the chapters; what has not changed is not touched.

    Raises
    ------
    ValueError
        If it is a folder of something else: pages that the book does not have are deleted in it.
    """
    if not (folder / MARK).exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty and not a folder of the book; name another one")
    (folder / MARK).touch()
    pages = all_pages()
    for name, text in pages.items():
        _write(folder / name, text)
    for name in _images():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    for file in [*folder.rglob("*.md"), *folder.rglob("*.rst")]:
        name = file.relative_to(folder).as_posix()
        if name not in pages and f"{os.path.splitext(name)[0]}.py" not in CHAPTERS:
            file.unlink()


def all_pages() -> dict[str, str]:
    """Return the text of each page but the chapters, under its path in the folder."""
    pages = {"index.md": with_page_links(read(FRONT), FRONT)}
    for file in TEXTS:
        text = with_page_links(read(file), file)
        pages[file] = text + _contents() if file == CHAPTER_LIST else text
    pages |= exercises.pages() | moving.pages() | reference.pages()
    shown = {page_of(file): file for file in _linked() if page_of(file).startswith("files/")}
    pages |= {f"{page}.rst": _file_page(file) for page, file in shown.items()}
    return pages


def _contents() -> str:
    """Return a hidden list of the chapters, for the sidebar, and their downloads."""
    names = "\n".join(Path(chapter).stem for chapter in CHAPTERS)
    files = (
        "{download}`scripts <tutorials_python.zip>` {download}`notebooks <tutorials_jupyter.zip>`"
    )
    return f"\n```{{toctree}}\n:hidden:\n\n{names}\n```\n\nAll chapters to download: {files}\n"


def _linked() -> list[str]:
    """Return all files to which a text or a chapter links."""
    return sorted({link for file in [*TEXTS, *CHAPTERS] for link in linked_files(read(file), file)})


def _images() -> list[str]:
    """Return the pictures that the texts show or link to."""
    found = {file for file in _linked() if file.endswith((".png", ".svg"))}
    for file in TEXTS:
        for name in IMAGE.findall(read(file)):
            found.add(os.path.normpath(os.path.join(os.path.dirname(file), name)))
    return sorted(found)


def _file_page(file: str) -> str:
    """Return a page that shows a file."""
    if file.endswith((".png", ".svg")):
        return f":orphan:\n\n{_heading(file)}\n.. image:: /{file}\n"
    language = LANGUAGES.get(Path(file).suffix, "text")
    return f":orphan:\n\n{_heading(file)}\n{code_block(read(file), language)}"


def _heading(title: str) -> str:
    return f"{title}\n{'=' * len(title)}\n"


def _write(file: Path, text: str) -> None:
    """Write a file if its text has changed, so that Sphinx reads only what has."""
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
