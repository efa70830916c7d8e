"""Plain text, as docstrings and exercises have it, as rST: formulas stay as they stand.

What is indented is shown as it is. Backquotes mark code, `* ` and `- ` begin an item of a list.
"""

import re
import textwrap

ITEM = re.compile(r"(?:[*-]|\d+\.) ")
CODE = re.compile(r"(`+)([^`]+)\1")
MARKUP = re.compile(r"([\\*|]|_(?!\w))")


def as_rst(text: str) -> str:
    """Return plain text as rST; from the first NumPy section ("Raises") on, indentation stays."""
    lines = textwrap.dedent(text).strip("\n").split("\n")
    end = _first_section(lines)
    result: list[str] = []
    literal = item = False
    for line in lines[:end]:
        indented = line.startswith("  ")
        if not line.strip():
            item = False
        elif indented and item:
            line = "  " + _inline(line.strip())
        elif indented:
            if not literal:
                result += ["", "::", ""]
            literal = True
            line = "    " + line
        else:
            begins = ITEM.match(line) is not None
            if literal or begins and not item:
                result.append("")
            literal, item = False, begins or item
            line = line[:2] + _inline(line[2:]) if begins else _inline(line)
        result.append(line)
    return "\n".join([*result, "", *map(_inline, lines[end:])]).strip("\n")


def code_block(code: str, language: str, *options: str) -> str:
    """Return rST that shows code in the colours of its language."""
    head = "\n".join([f".. code-block:: {language}", *(f"   :{option}:" for option in options)])
    return f"{head}\n\n{textwrap.indent(code, '   ')}\n"


def _first_section(lines: list[str]) -> int:
    """Return the number of the line that begins a NumPy section, or the number of lines."""
    for i, line in enumerate(lines[1:]):
        if line and set(line) == {"-"} and len(line) == len(lines[i]):
            return i
    return len(lines)


def _inline(line: str) -> str:
    """Mark code, and protect characters that mean something in rST."""
    parts, start = [], 0
    for match in CODE.finditer(line):
        parts += [MARKUP.sub(r"\\\1", line[start : match.start()]), f"``{match[2].strip()}``"]
        start = match.end()
    return "".join([*parts, MARKUP.sub(r"\\\1", line[start:])])
