"""The student's file, cut out of the library's own code.

It holds the functions and classes of one library file that have a fence of the exercise, with the
fenced lines taken out, and imports all else that they use from the library. What chooses compiled
code is left out, so that the lines that are written are the lines that run.
"""

import ast
import textwrap
from collections.abc import Iterator

from tervit_np.exercises.fences import fenced_lines, fences, library_source, without_fences

NOT_WRITTEN = "not written yet"
_WIDTH = 100  # of a line of code
_Definition = ast.FunctionDef | ast.ClassDef


def student_file(module: str, name: str, text: str) -> str:
    """Make the file to be completed; `text` becomes its docstring.

    It imports what is used outside of the fences, what the fenced lines use of other modules or by
    public names, and NumPy.
    """
    source = library_source(module)
    lines = source.splitlines()
    for fence in reversed(fences(source, name)):
        lines[fence.first : fence.last + 1] = [
            f"{fence.indent}# Write here: {fence.goal}.",
            f'{fence.indent}raise NotImplementedError("{NOT_WRITTEN}")',
        ]
    code = _definitions("\n".join(lines), fenced_definitions(source, name))
    body = textwrap.indent(fenced_lines(source, name), "    ")  # there may be a return in it
    wanted = {n for n in _names(f"def fenced():\n{body}") if n != "compiled" and n[0] != "_"}
    return _assemble(source, module, code, wanted | _names(code), text)


def solved_file(module: str, name: str, text: str) -> str:
    """Make the same file with the library's lines in it."""
    source = library_source(module)
    code = _definitions(source, fenced_definitions(source, name))
    return _assemble(source, module, code, _names(code), text)


def fenced_definitions(source: str, name: str) -> list[str]:
    """Name the top-level functions and classes that have a fence of this exercise."""
    names, left = [], fences(source, name)
    for node in ast.parse(source).body:
        inside = [f for f in left if f.first + 1 in _lines_of(node)]
        if inside and isinstance(node, _Definition):
            names.append(node.name)
            left = [f for f in left if f not in inside]
    if left:
        raise ValueError(
            f"exercise {name}: the fence in line {left[0].first} is in no function or class"
        )
    return names


def _definitions(source: str, names: list[str]) -> str:
    """Return the text of some definitions, without fences and the choice of compiled code."""
    lines = source.splitlines()
    texts = []
    for node in ast.parse(source).body:
        if isinstance(node, _Definition) and node.name in names:
            choices = [part for part in ast.walk(node) if _chooses_compiled(part)]
            dropped = {n for part in choices for n in _lines_of(part)}
            kept = [lines[n - 1] for n in _lines_of(node) if n not in dropped]
            texts.append("\n".join(without_fences(kept)))
    return "\n\n\n".join(texts) + "\n"


def _chooses_compiled(node: ast.AST) -> bool:
    """Whether this is `if (fast := compiled(x)) is not None: ...`."""
    return isinstance(node, ast.If) and "compiled" in _names_in(node.test)


def _lines_of(node: ast.AST) -> range:
    """Count the lines of a statement from 1, decorators among them."""
    starts = [part.lineno for part in [node, *getattr(node, "decorator_list", [])]]
    return range(min(starts), (getattr(node, "end_lineno", None) or starts[0]) + 1)


def _names(code: str) -> set[str]:
    return _names_in(ast.parse(code))


def _names_in(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _assemble(source: str, module: str, code: str, wanted: set[str], text: str) -> str:
    """Put docstring, imports and definitions together."""
    lines = sorted({*_imports(source, wanted), *_own(source, module, code, wanted)})
    house = "\n".join(line for line in lines if line.startswith("from tervit_np"))
    others = "\n".join(line for line in lines if not line.startswith("from tervit_np"))
    return f'"""{text.strip()}\n"""\n\n{others}\n\n{house}\n\n\n{code}'


def _imports(source: str, wanted: set[str]) -> Iterator[str]:
    """Yield the wanted imports of the library's file, and NumPy always."""
    yield "import numpy as np"
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            node.names = [a for a in node.names if (a.asname or a.name) in wanted]
            if node.names:
                yield _wrapped(ast.unparse(node))


def _own(source: str, module: str, code: str, wanted: set[str]) -> Iterator[str]:
    """Import from the library's file what the student's does not define itself."""
    here = {getattr(node, "name", None) for node in ast.parse(code).body}
    defined = set()
    for node in ast.parse(source).body:
        if isinstance(node, _Definition):
            defined.add(node.name)
        elif isinstance(node, ast.Assign):
            defined |= _names_in(ast.Tuple(node.targets))
    if names := sorted((defined & wanted) - here):
        yield _wrapped(f"from tervit_np.{module} import {', '.join(names)}")


def _wrapped(line: str) -> str:
    """Break a long import into one name a line."""
    if len(line) <= _WIDTH:
        return line
    head, _, names = line.partition(" import ")
    return f"{head} import (\n    " + ",\n    ".join(names.split(", ")) + ",\n)"
