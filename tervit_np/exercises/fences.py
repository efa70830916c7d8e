"""Fences: comments in the library's code that mark the lines a student writes.

    # exercise linear_backward: dx, dweight and dbias from dy, cache.x and cache.weight

A fence runs from this comment to the end of its indented block, or to a line `# end of exercise`.
An exercise may have several, in one file.
"""

import ast
import importlib.util
import re
import textwrap
from pathlib import Path
from typing import NamedTuple

_HEAD = re.compile(r"( *)# exercise (\w+): (.+)")
_END = "# end of exercise"


class Fence(NamedTuple):
    """The lines inside a fence, counted from 0."""

    first: int
    last: int
    indent: str
    goal: str  # from the comment: what to write


def library_source(module: str) -> str:
    """Read the source of a module of the package, such as "ops.linear".

    Raises
    ------
    ValueError
        If its source is not installed.
    """
    spec = importlib.util.find_spec(f"tervit_np.{module}")
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise ValueError(f"exercise: the source of tervit_np.{module} is not installed")
    return Path(spec.origin).read_text(encoding="utf-8")


def fences(source: str, name: str) -> list[Fence]:
    """Find the fences of one exercise.

    Raises
    ------
    ValueError
        If there is none, or one is empty.
    """
    lines = source.splitlines()
    heads = [(i, head) for i, line in enumerate(lines) if (head := _HEAD.fullmatch(line))]
    result = [_fence(lines, i, head) for i, head in heads if head[2] == name]
    if not result:
        raise ValueError(f"exercise {name}: there is no line `# exercise {name}: ...`")
    return result


def _fence(lines: list[str], i: int, head: re.Match[str]) -> Fence:
    last = i
    while last + 1 < len(lines) and not _ends(lines[last + 1], head[1]):
        last += 1
    while not lines[last].strip():
        last -= 1
    if last == i:
        raise ValueError(f"exercise {head[2]}: its fence in line {i + 1} is empty")
    return Fence(i + 1, last, head[1], head[3])


def _ends(line: str, indent: str) -> bool:
    """Whether a line ends a fence that began with this indent."""
    return line.strip() == _END or (line.strip() != "" and not line.startswith(indent))


def function_of(source: str, fence: Fence) -> str:
    """Name the function that a fence is in, with its class: "Ternary.forward"."""
    path, nodes = [], list(ast.parse(source).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            if node.lineno <= fence.first + 1 <= (node.end_lineno or node.lineno):
                path.append(node.name)
                nodes = list(node.body)
    return ".".join(path)


def fenced_parts(source: str, name: str) -> list[str]:
    """Return the lines inside each fence of an exercise, without their indent."""
    lines = source.splitlines()
    parts = ["\n".join(lines[f.first : f.last + 1]) for f in fences(source, name)]
    return [textwrap.dedent(part) for part in parts]


def fenced_lines(source: str, name: str) -> str:
    """Return the lines inside the fences of an exercise: its solution."""
    return "\n\n".join(fenced_parts(source, name)) + "\n"


def without_fences(lines: list[str]) -> list[str]:
    """Remove the fence comments; keep the lines inside."""
    return [line for line in lines if not _HEAD.fullmatch(line) and line.strip() != _END]
