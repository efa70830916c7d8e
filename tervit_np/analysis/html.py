"""A self-contained HTML page: text, tables and figures in one file, light and dark, no scripts."""

import base64
import html
import io
import re
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image

from data_tools.terminal import printable_lines
from tervit_np.analysis.style import css_colour, theme_css
from tervit_np.analysis.svg import Chart
from tervit_np.arrays import Array

SMALL, SHRUNK = 96, 192  # pixels: of pictures that stay PNG files, and what larger ones shrink to

_NO_BREAK, _MINUS = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}"
_NEGATIVE = re.compile(r"(?<![\w.,)-])-(?=\d)")  # the sign of a number

STYLE = f"""
{theme_css()}
:root {{ color-scheme: light dark; --line: #DADCE0; --band: #F4F6F8; }}
@media (prefers-color-scheme: dark) {{ :root {{ --line: #3A3F45; --band: #22262B; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; max-width: 54rem; padding: 2.5rem 1.25rem 4rem; color: var(--ink);
  background: var(--paper); font: 16px/1.55 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }}
h1 {{ font-size: 1.7rem; line-height: 1.25; margin: 0 0 .4rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.25rem; margin: 2.8rem 0 .5rem; }} h3 {{ margin: 2rem 0 .4rem; }}
p {{ margin: .5rem 0; max-width: 46rem; overflow-wrap: anywhere; }}
.soft {{ color: var(--soft-text); }}
.lead {{ font-size: 1.15rem; }}
abbr {{ text-decoration: underline dotted; text-underline-offset: .2em; cursor: help; }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem;
  margin: 1.5rem 0; }}
.tiles div {{ border-top: 4px solid var(--tile); padding-top: .5rem; }}
.tiles .hollow {{ border-top-style: dashed; }}
.tiles b {{ display: block; font-size: 2.1rem; line-height: 1.15; font-weight: 650;
  font-variant-numeric: tabular-nums; }}
.tiles span {{ display: block; color: var(--soft-text); font-size: .9rem; line-height: 1.35; }}
.scroll {{ overflow-x: auto; margin: 1rem 0;
  background: linear-gradient(to left, var(--paper) 40%, #0000) right / 3rem 100% no-repeat local,
    linear-gradient(to left, var(--faint), #0000) right / .8rem 100% no-repeat scroll; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .94rem; }}
th, td {{ padding: .4rem .7rem .4rem 0; text-align: right; border-bottom: 1px solid var(--line); }}
th {{ font-weight: 600; color: var(--soft-text); font-size: .85rem; line-height: 1.25;
  vertical-align: bottom; min-width: 4.2rem; }}
td {{ white-space: nowrap; }}
th:first-child, td:first-child {{ text-align: left; position: sticky; left: 0;
  background: var(--paper); }}
.key {{ display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .5em; }}
figure {{ margin: 1.2rem 0; }}
figcaption {{ color: var(--soft-text); font-size: .9rem; line-height: 1.45; padding-top: .3rem;
  max-width: 44rem; }}
svg {{ display: block; width: 100%; height: auto; stroke-linejoin: round; }}
.wide {{ max-width: 44rem; }} .narrow {{ display: none; max-width: 30rem; }}
@media screen and (max-width: 600px) {{ .wide {{ display: none; }} .narrow {{ display: block; }} }}
.pair {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr));
  gap: 0 1.5rem; }}
.pair .wide {{ display: none; }} .pair .narrow {{ display: block; }}
.pictures {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(6.2rem, 1fr));
  gap: .9rem .7rem; max-width: 46rem; }}
.pictures figure {{ margin: 0; }}
.pictures img {{ display: block; width: 100%; max-width: 8rem; border-radius: 4px; }}
.pixels {{ image-rendering: pixelated; }}
.pictures figcaption {{ font-size: .8rem; line-height: 1.3; overflow-wrap: anywhere; }}
.strip {{ display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); gap: .2rem .8rem;
  align-items: center; max-width: 46rem; margin: .35rem 0; font-size: .9rem;
  overflow-wrap: anywhere; }}
.strip div {{ display: flex; gap: .3rem; }}
.strip img {{ flex: 0 1 3.4rem; width: 3.4rem; min-width: 0; border-radius: 3px; }}
.large img {{ flex-basis: 6rem; }}
@media screen and (max-width: 600px) {{ .strip {{ grid-template-columns: minmax(0, 1fr); }} }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; overflow-x: auto;
  background: var(--band); border-radius: 8px; padding: .8rem 1rem;
  font: 13.5px/1.5 ui-monospace, Menlo, Consolas, monospace; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; margin: 1rem 0;
  max-width: 48rem; }}
dl.commands {{ grid-template-columns: 1fr; gap: 0; }} .commands dd {{ margin: 0 0 .7rem; }}
.commands dt {{ font: 13.5px/1.5 ui-monospace, Menlo, Consolas, monospace; color: var(--ink);
  overflow-wrap: anywhere; }}
dt {{ color: var(--soft-text); }} dd {{ margin: 0; overflow-wrap: anywhere; }}
details pre {{ white-space: pre; }}
details {{ margin: 1rem 0; }} summary {{ cursor: pointer; color: var(--soft-text); }}
@media print {{ body {{ max-width: none; padding: 0; }} figure, table {{ break-inside: avoid; }} }}
"""


class Tile(NamedTuple):
    """A large number with a line of words."""

    value: str
    words: str
    colour: str  # of figures
    hollow: bool = False  # as the marks of models that were not trained


def document(title: str, body: list[str]) -> str:
    """Return a page with this body."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'  # or a browser asks for /favicon.ico
        f"<title>{_escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def restyle(page: str) -> str:
    """Give a page of an older version the present style."""
    before, begin, rest = page.partition("<style>")
    _, end, after = rest.partition("</style>")
    return before + begin + STYLE + end + after if end else page


def heading(text: str, level: int = 2) -> str:
    """Return a heading."""
    return f"<h{level}>{_escape(text)}</h{level}>"


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph; `kind` is "lead", "soft" or empty."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{_escape(_typeset(text))}</p>"


def tiles(numbers: Sequence[Tile]) -> str:
    """Return large numbers side by side, or below each other on a phone."""
    parts = (
        f'<div style="--tile:{css_colour(n.colour)}"{" class=hollow" * n.hollow}>'
        f"<b>{_escape(n.value)}</b>"
        f"<span>{_escape(n.words)}</span></div>"
        for n in numbers
    )
    return f'<div class="tiles">{"".join(parts)}</div>'


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    colours: Sequence[str] = (),
    meanings: dict[str, str] | None = None,
) -> str:
    """Return a table in a box that scrolls where it is too wide.

    With `colours` the first cell of each row has a dot of that colour. A heading that `meanings`
    explains shows the explanation under the pointer.
    """
    titles = (_term(word, (meanings or {}).get(word, "")) for word in head)
    lines = ["<tr>" + "".join(f"<th>{title}</th>" for title in titles) + "</tr>"]
    dots = [f'<span class="key" style="background:{css_colour(c)}"></span>' for c in colours]
    for row, dot in zip(rows, dots or [""] * len(rows), strict=True):
        first, *others = (_escape(_typeset(cell)) for cell in row)
        lines.append(f"<tr><td>{dot}{first}</td>{''.join(f'<td>{c}</td>' for c in others)}</tr>")
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>'


def _term(word: str, meaning: str) -> str:
    return f'<abbr title="{_escape(meaning)}">{_escape(word)}</abbr>' if meaning else _escape(word)


def chart(drawn: Chart, caption: str) -> str:
    """Return a figure with both forms of a chart, of which the page shows one."""
    label = f'<svg role="img" aria-label="{_escape(caption)}" '
    forms = (
        f'<div class="{name}">{svg.replace("<svg ", label, 1)}</div>'
        for name, svg in drawn._asdict().items()
    )
    return f"<figure>{''.join(forms)}<figcaption>{_escape(caption)}</figcaption></figure>"


def pair(figures: Sequence[str]) -> str:
    """Return two figures side by side, each in its narrow form; on a phone below each other."""
    return f'<div class="pair">{"".join(figures)}</div>'


def image(pixels: Array, words: str) -> str:
    """Return a picture.  uint8 (H, W, 3) -> an element that contains the PNG or JPEG itself."""
    file, picture = io.BytesIO(), Image.fromarray(pixels)
    kind, look = ("png", ' class="pixels"') if max(picture.size) <= SMALL else ("jpeg", "")
    if kind == "jpeg":
        picture.thumbnail((SHRUNK, SHRUNK))
    picture.save(file, kind)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img src="data:image/{kind};base64,{data}"{look} alt="{_escape(words)}">'


def pictures(images: Sequence[Array], captions: Sequence[str]) -> str:
    """Return pictures in rows that fit the page, each above its caption."""
    cells = (
        f"<figure>{image(pixels, words)}<figcaption>{_lines(words)}</figcaption></figure>"
        for pixels, words in zip(images, captions, strict=True)
    )
    return f'<div class="pictures">{"".join(cells)}</div>'


def strip(name: str, images: Sequence[Array], *, large: bool = False) -> str:
    """Return one row of pictures behind its name."""
    row = "".join(image(pixels, name) for pixels in images)
    kind = "strip large" if large else "strip"
    return f'<div class="{kind}"><span>{_escape(name)}</span><div>{row}</div></div>'


def code(text: str) -> str:
    """Return preformatted text."""
    return f"<pre>{_escape(text)}</pre>"


def definitions(pairs: dict[str, str], kind: str = "") -> str:
    """Return a list of terms and values; `kind` is "commands" or empty."""
    items = (f"<dt>{_escape(k)}</dt><dd>{_escape(v)}</dd>" for k, v in pairs.items())
    attribute = f' class="{kind}"' if kind else ""
    return f"<dl{attribute}>{''.join(items)}</dl>"


def details(summary: str, content: str) -> str:
    """Return content that the reader unfolds."""
    return f"<details><summary>{_escape(summary)}</summary>{content}</details>"


def _typeset(text: str) -> str:
    """Give negative numbers a minus sign, and keep numbers and their percent signs together."""
    return _NEGATIVE.sub(_MINUS, text).replace(" %", f"{_NO_BREAK}%")


def _lines(text: str) -> str:
    return _escape(text).replace("\n", "<br>")


def _escape(text: str) -> str:
    """Return text as HTML; characters that UTF-8 lacks, or that a browser obeys, as escapes."""
    return html.escape(printable_lines(text))
