"""The student's file, cut out of the library's code.

It contains the functions and classes of one library file that have a fence of the exercise, without
the fenced lines, and imports the other names that they use from the library. The lines that choose
compiled code are left out, so that the student's lines are the ones that run.
"""

import ast
import textwrap
from collections.abc import Iterator, Sequence

from tervit_np.exercises.fences import fenced_lines, fences, library_source, without_fences

NOT_WRITTEN = "not written yet"
_WIDTH = 100  # of a line of code
_CHOICE = "compiled"  # dispatch.compiled(x), which returns compiled code or None
_Definition = ast.FunctionDef | ast.ClassDef


def student_file(module: str, name: str, instructions: str) -> str:
    """Return the file to complete; `instructions` becomes its docstring.

    It imports the names used outside of the fences, the public names used inside, and NumPy.
    """
    source = library_source(module)
    cut = [
        f'# Write here: {fence.goal}.\nraise NotImplementedError("{NOT_WRITTEN}")'
        for fence in fences(source, name)
    ]
    return plain_file(module, name, instructions, cut)


def plain_file(module: str, name: str, instructions: str, parts: Sequence[str]) -> str:
    """Return the same file with other lines in it, one text for each fence."""
    source = library_source(module)
    lines = source.splitlines()
    for fence, part in reversed(list(zip(fences(source, name), parts, strict=True))):
        new = textwrap.indent(textwrap.dedent(part).strip("\n"), fence.indent)
        lines[fence.first : fence.last + 1] = new.splitlines()
    code = _definitions("\n".join(lines), fenced_definitions(source, name))
    body = textwrap.indent(fenced_lines(source, name), "    ")  # in a function: it may return
    inside = {n for n in _names(f"def fenced():\n{body}") if n != _CHOICE and n[0] != "_"}
    return _assemble(source, module, code, inside | _names(code), instructions)


def solved_file(module: str, name: str, instructions: str) -> str:
    """Return the same file with the library's lines in it."""
    source = library_source(module)
    code = _definitions(source, fenced_definitions(source, name))
    return _assemble(source, module, code, _names(code), instructions)


def fenced_definitions(source: str, name: str) -> list[str]:
    """Name the top-level functions and classes that have a fence of this exercise."""
    names, remaining = [], fences(source, name)
    for node in ast.parse(source).body:
        inside = [f for f in remaining if f.first + 1 in _lines_of(node)]
        if inside and isinstance(node, _Definition):
            names.append(node.name)
            remaining = [f for f in remaining if f not in inside]
    if remaining:
        raise ValueError(
            f"exercise {name}: the fence in line {remaining[0].first} is in no function or class"
        )
    return names


def _definitions(source: str, names: list[str]) -> str:
    """Return the text of some definitions, without fences and the choice of compiled code."""
    lines = source.splitlines()
    texts = []
    for node in ast.parse(source).body:
        if isinstance(node, _Definition) and node.name in names:
            choices = [part for part in ast.walk(node) if _chooses_compiled(part)]
            removed = {n for part in choices for n in _lines_of(part)}
            remaining = [lines[n - 1] for n in _lines_of(node) if n not in removed]
            texts.append("\n".join(without_fences(remaining)))
    return "\n\n\n".join(texts) + "\n"


def _chooses_compiled(node: ast.AST) -> bool:
    """Whether this is `if (compiled_ops := compiled(x)) is not None: ...`."""
    return isinstance(node, ast.If) and _CHOICE in _names_in(node.test)


def _lines_of(node: ast.AST) -> range:
    """Return the line numbers of a statement, from 1, its decorators included."""
    starts = [part.lineno for part in [node, *getattr(node, "decorator_list", [])]]
    return range(min(starts), (getattr(node, "end_lineno", None) or starts[0]) + 1)


def _names(code: str) -> set[str]:
    return _names_in(ast.parse(code))


def _names_in(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _assemble(source: str, module: str, code: str, names: set[str], instructions: str) -> str:
    """Join docstring, imports of `names` and definitions."""
    lines = sorted({*_imports(source, names), *_library_imports(source, module, code, names)})
    library = "\n".join(line for line in lines if line.startswith("from tervit_np"))
    others = "\n".join(line for line in lines if not line.startswith("from tervit_np"))
    return f'"""{instructions.strip()}\n"""\n\n{others}\n\n{library}\n\n\n{code}'


def _imports(source: str, names: set[str]) -> Iterator[str]:
    """Yield the imports of the library's file that bring some of the names, and NumPy."""
    yield "import numpy as np"
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            node.names = [a for a in node.names if (a.asname or a.name) in names]
            if node.names:
                yield _wrapped(ast.unparse(node))


def _library_imports(source: str, module: str, code: str, names: set[str]) -> Iterator[str]:
    """Import those names from the library's file that it defines and the student's does not."""
    in_code = {getattr(node, "name", None) for node in ast.parse(code).body}
    in_library = set()
    for node in ast.parse(source).body:
        if isinstance(node, _Definition):
            in_library.add(node.name)
        elif isinstance(node, ast.Assign):
            in_library |= _names_in(ast.Tuple(node.targets))
    if imported := sorted((in_library & names) - in_code):
        yield _wrapped(f"from tervit_np.{module} import {', '.join(imported)}")


def _wrapped(line: str) -> str:
    """Break a long import into one name a line."""
    if len(line) <= _WIDTH:
        return line
    head, _, names = line.partition(" import ")
    return f"{head} import (\n    " + ",\n    ".join(names.split(", ")) + ",\n)"
