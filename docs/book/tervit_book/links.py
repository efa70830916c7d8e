"""Links between files of the repository, as they work on GitHub, as links between pages."""

import posixpath
import re
from collections.abc import Iterator

from tervit_book.repository import CHAPTERS, ROOT, TEXTS, page_of

MARKDOWN = re.compile(r"(?<!!)\[([^\]\[]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
RST = re.compile(r"`([^`<]+?)\s+<(\.\.?/[^>`]+)>`_")


def linked_files(text: str, file: str) -> Iterator[str]:
    """Yield the files to which the text of a file links, as paths from the root."""
    pattern = MARKDOWN if file.endswith(".md") else RST
    for match in pattern.finditer(text):
        path = _from_root(match[2], file)
        if (ROOT / path).is_file():
            yield path


def with_page_links(text: str, file: str) -> str:
    """Return the text of a page or of a chapter with links to pages in place of files."""

    def markdown(match: re.Match[str]) -> str:
        path = _from_root(match[2], file)
        if not (ROOT / path).is_file():  # no link, or one that Sphinx will report
            return match[0]
        suffix = ".md" if path in TEXTS else ".rst"
        return f"[{match[1]}](/{page_of(path)}{suffix}{match[3] or ''})"

    def rst(match: re.Match[str]) -> str:
        path = _from_root(match[2], file)
        return f":doc:`{match[1]} </{page_of(path)}>`" if (ROOT / path).is_file() else match[0]

    return RST.sub(rst, text) if file in CHAPTERS else MARKDOWN.sub(markdown, text)


def _from_root(link: str, file: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(file), link))
