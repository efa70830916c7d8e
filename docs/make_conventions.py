"""Write the table of conventions in docs/quantizers.md, which `tervit check --conventions` prints.

    python docs/make_conventions.py

Each rule states its own in its file, as the `Convention` of its class.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

from make_wrong_answers import cell  # noqa: E402
from page_parts import rewrite, table  # noqa: E402

from tervit_np.quant import conventions  # noqa: E402

PAGE = ROOT / "docs" / "quantizers.md"
HEAD = "rule", "boundary", "ties", "scale", "clip"


def remade(page: str) -> str:
    """Return the page with one row for each rule: its name and its four answers."""
    rows = [tuple(map(cell, (name, *row))) for name, row in conventions().items()]
    return rewrite(page, "conventions", table([HEAD, *rows]))


if __name__ == "__main__":
    PAGE.write_text(remade(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE.relative_to(ROOT))
