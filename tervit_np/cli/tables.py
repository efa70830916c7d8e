"""Tables in columns: whole where output is piped, as wide as the terminal where it is not.

A table that is too wide for a terminal loses width where it is widest: cells of those columns
continue on further lines, and an empty line separates the rows. Texts are broken at spaces, names
such as layers.0.blocks.1.attn.qkv.weight behind a sign. A Chinese character takes two columns, an
accent none.
"""

from collections.abc import Sequence
from itertools import accumulate, zip_longest

from data_tools.terminal import columns_of, padded, printable
from tervit_np.cli.layout import output_width

_GAP = "  "  # between columns
_NO_BREAK = "\N{NO-BREAK SPACE}"
_SIGNS = "._-/"  # behind which a word is rather broken than within a part of its name


def print_table(rows: Sequence[Sequence[str]], numbers: int) -> None:
    """Print a table as `in_columns` aligns it, as wide as standard output is."""
    print(in_columns(rows, numbers, output_width()))


def in_columns(rows: Sequence[Sequence[str]], numbers: int, width: int | None) -> str:
    """Align the cells of a table, whose first row is its head.

    The last `numbers` columns are aligned to the right. With a `width`, lines are no longer than
    it.
    """
    table = [[printable(cell) for cell in row] for row in rows]
    columns = list(zip(*table, strict=True))
    widths = [max(map(columns_of, column)) for column in columns]
    if width is not None:
        widths = _shrunk(columns, widths, width - len(_GAP) * (len(widths) - 1))
    texts = len(widths) - numbers  # the columns that are aligned to the left
    blocks = [_lines(row, widths, texts) for row in table]
    wrapped = any(len(block) > 1 for block in blocks[1:])
    return ("\n\n" if wrapped else "\n").join("\n".join(block) for block in blocks)


def _shrunk(columns: Sequence[Sequence[str]], widths: list[int], most: int) -> list[int]:
    """Shrink the widest columns until all fit; words are broken only if nothing else is left."""
    widths = list(widths)
    words = [max(columns_of(w) for cell in column for w in _words(cell)) for column in columns]
    signs = [max(map(columns_of, "".join(column)), default=1) for column in columns]
    for least in (words, signs):
        while sum(widths) > most and (wide := [i for i, n in enumerate(widths) if n > least[i]]):
            widest = max(wide, key=widths.__getitem__)
            lines = (line for cell in columns[widest] for line in _wrap(cell, widths[widest] - 1))
            widths[widest] = max(map(columns_of, lines))
    return widths


def _lines(row: list[str], widths: list[int], texts: int) -> list[str]:
    """Lay out a row, on as many lines as its longest cell takes."""
    cells = [_wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
    return [
        _GAP.join(
            padded(part, width) if i < texts else " " * (width - columns_of(part)) + part
            for i, (part, width) in enumerate(zip(parts, widths, strict=True))
        ).rstrip()
        for parts in zip_longest(*cells, fillvalue="")
    ]


def _wrap(cell: str, width: int) -> list[str]:
    """Break a cell at spaces, and a word that is longer than the width."""
    first, *others = _words(cell)
    lines = [first]
    for word in others:
        longer = f"{lines[-1]} {word}"
        if columns_of(longer) > width and lines[-1].strip():
            lines.append(word)
        else:
            lines[-1] = longer
    parts = [part for line in lines for part in _cut(line, width)]
    return [part.replace(_NO_BREAK, " ") for part in parts]


def _cut(line: str, width: int) -> list[str]:
    """Cut a line that is too long after the last sign that fits, or else the last character."""
    parts = [line]
    while columns_of(parts[-1]) > width:
        ends = accumulate(map(columns_of, parts[-1]))
        most = max(sum(end <= width for end in ends), 1)
        count = max(parts[-1].rfind(sign, 0, most) for sign in _SIGNS) + 1 or most
        parts[-1:] = [parts[-1][:count], parts[-1][count:]]
    return parts


def _words(cell: str) -> list[str]:
    return _join(cell).split(" ")


def _join(cell: str) -> str:
    """Keep a number with its sign: ± 0.02 is one word, and 3.5 % is."""
    return cell.replace("± ", f"±{_NO_BREAK}").replace(" %", f"{_NO_BREAK}%")
