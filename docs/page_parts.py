"""Tables in Markdown, and the parts of pages that scripts write.

A part stands between the lines <!-- NAME --> and <!-- end of NAME -->.
"""

import re
from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]]) -> str:
    """Format rows as Markdown, the first as the head."""
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def rewrite(page: str, name: str, new: str) -> str:
    """Replace what stands between the marks of a name.

    Raises
    ------
    ValueError
        If the page has not exactly one pair of such marks.
    """
    marks = rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end of {re.escape(name)} -->)"
    page, count = re.subn(marks, lambda m: m[1] + new + m[2], page, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the page has {count} pairs of the marks {name!r}; expected one")
    return page
