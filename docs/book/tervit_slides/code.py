"""What a cell of a chapter's code shows: questions, numbers, claims, figures, functions."""

import ast
from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from tervit_book.figures import figures_of_functions

MOST_LINES = 16  # of a function on a slide


class Question(NamedTuple):
    """What the reader is to predict."""

    text: str


class Number(NamedTuple):
    """A number that the chapter checks."""

    name: str


class Claim(NamedTuple):
    """A conclusion that the chapter checks."""

    text: str


class Figure(NamedTuple):
    """A figure, by its name without suffix."""

    name: str


class Function(NamedTuple):
    """A function with its shapes behind its head: `# (B, T, D) -> (B, T, D)`."""

    code: str


Shown = Question | Number | Claim | Figure | Function


def shown(code: str, drawing: str) -> list[Shown]:
    """Return what a cell shows; `drawing` is the module of the chapter's figures."""
    return list(_shown(ast.parse(code).body, code, drawing))


def _shown(body: list[ast.stmt], code: str, drawing: str) -> Iterator[Shown]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef):
            text = ast.get_source_segment(code, statement) or ""
            if "->" in text.split("\n")[0] and text.count("\n") < MOST_LINES:
                yield Function(text)
        else:
            calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
            for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
                yield from _call(call, drawing)


def _call(call: ast.Call, drawing: str) -> Iterator[Shown]:
    match call:
        case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(text)), *_]):
            kinds = {"predict": Question, "quote": Number, "claim": Claim}
            if name in kinds:
                yield kinds[name](text)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="draw"), attr=name)):
            yield from map(Figure, figures_of_functions().get((drawing, name), []))


def highlighted(code: str) -> str:
    """Return code as HTML, with comments marked."""
    lines = []
    for line in code.split("\n"):
        before, mark, comment = line.partition("  # ")
        text = escape(before)
        lines.append(f"{text}<i>{escape(mark + comment)}</i>" if mark else text)
    return "\n".join(lines)
