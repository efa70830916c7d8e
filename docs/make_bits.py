"""Make the table of docs/bits.md from docs/bits.json, which tests/bits/record.py writes.

python docs/make_bits.py
"""

import json
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from page_parts import rewrite, table  # noqa: E402

PAGE = DOCS / "bits.md"
KINDS = ("trained weights", "packed predictions", "pictures")
Results = dict[tuple[str, str], str]  # (group, name): hash


def read_record() -> dict[str, Any]:
    """Read the hashes that all should equal, and those of each row."""
    record: dict[str, Any] = json.loads((DOCS / "bits.json").read_text())
    return record


def kind_of(group: str, name: str) -> str:
    """Return the column of a result."""
    if group in ("pictures", "shapes"):
        return KINDS[2]
    return KINDS[name.startswith("packed")]


def of_kind(hashes: dict[str, dict[str, str]], kind: str) -> Results:
    """Return all results of a column."""
    return {
        (group, name): value
        for group, values in hashes.items()
        for name, value in values.items()
        if kind_of(group, name) == kind
    }


def verdict(found: Results, expected: Results) -> str:
    """Compare the results of a column that a row has with those expected."""
    if not found:
        return "not run"
    different = sum(value != expected[key] for key, value in found.items())
    if different:
        return f"{different} of {len(found)} differ"
    return "equal" if len(found) == len(expected) else f"equal, {len(found)} of {len(expected)} run"


def rows() -> list[list[str]]:
    """Return the rows of the table, without the head."""
    record = read_record()
    expected = {kind: of_kind(record["stored"], kind) for kind in KINDS}
    return [
        [name, *(verdict(of_kind(hashes, kind), expected[kind]) for kind in KINDS)]
        for name, hashes in record["rows"].items()
    ]


def machine_line() -> str:
    """Say where the rows without a processor in their name were computed."""
    e = read_record().get("environment")
    if e is None:
        return ""
    packages = f"Python {e['python']}, NumPy {e['numpy']}, Numba {e['numba']}"
    return f"\nComputed on an {e['processor']} ({packages}), but for what a row names.\n"


def remade(page: str) -> str:
    """Return the page with its table made anew."""
    return rewrite(page, "bits", table([["configuration", *KINDS], *rows()]) + machine_line())


if __name__ == "__main__":
    PAGE.write_text(remade(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE)
