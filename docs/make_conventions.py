"""Write the table of conventions in docs/quantizers.md, which `tervit check --conventions` prints.

    python docs/make_conventions.py

Each rule states its own in its file, as the `Convention` of its class.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

from make_wrong_answers import cell  # noqa: E402

from tervit_np.quant import conventions  # noqa: E402

PAGE = ROOT / "docs" / "quantizers.md"
BEGIN, END = "<!-- conventions -->\n", "<!-- end of conventions -->"
HEAD = """\
| rule | boundary | ties | scale | clip |
|---|---|---|---|---|
"""


def table() -> str:
    """Return one row for each rule, with its name and its four answers."""
    rows = [" | ".join(map(cell, (name, *row))) for name, row in conventions().items()]
    return HEAD + "".join(f"| {row} |\n" for row in rows)


def rewrite(text: str) -> str:
    """Replace the table between the marks of the page."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    PAGE.write_text(rewrite(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE.relative_to(ROOT))
