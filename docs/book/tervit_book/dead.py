"""Links of the built pages that lead nowhere, and what a page would load from elsewhere."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LOADS = {"script", "img", "iframe", "source", "link", "video", "audio", "object"}


class Page(HTMLParser):
    """The names and the links of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[tuple[str, bool]] = []  # address, whether it is loaded with the page
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Collect ids, and what href and src name."""
        for name, value in attributes:
            if name in ("id", "name") and value:
                self.names.add(value)
            elif name in ("href", "src", "data") and value:
                self.links.append((value, tag in LOADS))


def problems(folder: Path) -> Iterator[str]:
    """Yield a sentence for each dead link, and for each file loaded from elsewhere."""
    pages = {file.resolve(): Page(file) for file in sorted(folder.rglob("*.html"))}
    for file, page in pages.items():
        where = file.relative_to(folder.resolve())
        for address, loaded in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if loaded and parts.scheme != "data":
                    yield f"{where}: loads {address}"
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.is_file():
                yield f"{where}: {address} does not exist"
            elif parts.fragment and target in pages:
                if unquote(parts.fragment) not in pages[target].names:
                    yield f"{where}: {address} has no such place"
    for file in folder.rglob("*.css"):
        for address in re.findall(r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\"')]+)",
                                  file.read_text(encoding="utf-8")):  # fmt: skip
            yield f"{file.relative_to(folder)}: loads {address}"


def report(app: "Sphinx", error: Exception | None) -> None:
    """Warn of each problem (an event of Sphinx, at the end of a build)."""
    from sphinx.util.logging import getLogger

    if error is None and app.builder.format == "html":
        for problem in problems(Path(app.outdir)):
            getLogger(__name__).warning(problem)
