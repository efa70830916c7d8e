"""A self-contained HTML page: text, tables and pictures in one file, light and dark, no scripts."""

import base64
import html
from pathlib import Path

from data_tools.terminal import printable_lines

STYLE = """
:root { color-scheme: light dark; --ink: #1d1d1f; --soft: #5f6368; --paper: #ffffff;
  --line: #dadce0; --card: #ffffff; --band: #f4f6f8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --soft: #a3a8ae; --paper: #17191c;
  --line: #3a3f45; --band: #22262b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 48rem; padding: 2.5rem 1.25rem 4rem; color: var(--ink);
  background: var(--paper); font: 16px/1.55 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .4rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .5rem; }
p { margin: .5rem 0; } .soft { color: var(--soft); }
.lead { font-size: 1.1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0;
  font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .5rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { font-weight: 600; color: var(--soft); font-size: .88rem; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
td b { font-weight: 650; }
.key { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .5em; }
figure { margin: 1rem 0; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; padding: .6rem; }
figure img { display: block; width: 100%; height: auto; max-width: 46rem; margin: 0 auto; }
figcaption { color: #5f6368; font-size: .9rem; padding: .4rem .3rem 0; }
pre { background: var(--band); border-radius: 8px; padding: .8rem 1rem; overflow-x: auto;
  font: 13.5px/1.5 ui-monospace, Menlo, Consolas, monospace; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; margin: 1rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
details { margin: 1rem 0; } summary { cursor: pointer; color: var(--soft); }
@media print { body { max-width: none; padding: 0; } figure, table { break-inside: avoid; } }
"""


def document(title: str, body: list[str]) -> str:
    """Return a page with this body."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def heading(text: str, level: int = 2) -> str:
    """Return a heading."""
    return f"<h{level}>{_escape(text)}</h{level}>"


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph; `kind` is "lead", "soft" or empty."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{_escape(text)}</p>"


def table(head: list[str], rows: list[list[str]], colours: list[str]) -> str:
    """Return a table; the first column has a dot in the row's colour."""
    cells = ["<tr>" + "".join(f"<th>{_escape(h)}</th>" for h in head) + "</tr>"]
    for row, colour in zip(rows, colours, strict=True):
        dot = f'<span class="key" style="background:{colour}"></span>'
        first, *others = map(_escape, row)
        cells.append(f"<tr><td>{dot}{first}</td>{''.join(f'<td>{c}</td>' for c in others)}</tr>")
    return f'<div class="wide"><table>{"".join(cells)}</table></div>'


def picture(path: Path, caption: str) -> str:
    """Return a figure that contains the PNG itself."""
    data = base64.b64encode(path.read_bytes()).decode()
    image = f'<img src="data:image/png;base64,{data}" alt="{_escape(caption)}">'
    return f"<figure>{image}<figcaption>{_escape(caption)}</figcaption></figure>"


def code(text: str) -> str:
    """Return preformatted text."""
    return f"<pre>{_escape(text)}</pre>"


def definitions(pairs: dict[str, str]) -> str:
    """Return a list of terms and values."""
    return (
        "<dl>"
        + "".join(f"<dt>{_escape(k)}</dt><dd>{_escape(v)}</dd>" for k, v in pairs.items())
        + "</dl>"
    )


def details(summary: str, content: str) -> str:
    """Return content that the reader unfolds."""
    return f"<details><summary>{_escape(summary)}</summary>{content}</details>"


def _escape(text: str) -> str:
    """Return text as HTML; characters that UTF-8 lacks, or that a browser obeys, as escapes."""
    return html.escape(printable_lines(text))
