"""Pages of the package's modules: the docstrings with their formulas, and the file itself."""

import ast
import importlib
import inspect
import textwrap
from typing import TYPE_CHECKING, Any

import tervit_np
from tervit_book.plain import as_rst, code_block
from tervit_book.repository import STUDIED, modules, read

if TYPE_CHECKING:
    from sphinx.application import Sphinx

START = """\
Reference
=========

The modules that students read, one page each: the formula, the functions, the file. ``tv`` is
``tervit_np``; :doc:`tv` lists its public names.

"""


def pages() -> dict[str, str]:
    """Return the text of each page, under its path in Sphinx's folder."""
    made = {"index": _index(), "tv": _public_names()}
    for package in STUDIED:
        if names := modules(package):
            made[package] = _package(package)
        for name in names or [f"tervit_np.{package}"]:
            made[name] = _page(name)
    return {f"reference/{name}.rst": text for name, text in made.items()}


def _index() -> str:
    """Return the list of packages, each with the first paragraph of its docstring."""
    names = [package if modules(package) else f"tervit_np.{package}" for package in STUDIED]
    lines = [
        f"* :doc:`{package} <{name}>`: {_first_paragraph(f'tervit_np.{package}')}"
        for package, name in zip(STUDIED, names, strict=True)
    ]
    return "\n".join([START, *lines, "", _contents(["tv", *names])])


def _package(package: str) -> str:
    """Return the page of a package: its docstring, and a list of its modules."""
    text = importlib.import_module(f"tervit_np.{package}").__doc__ or ""
    names = modules(package)
    lines = [f"* :doc:`{_file(name)} <{name}>`: {_first_paragraph(name)}" for name in names]
    return "\n".join([_heading(package), as_rst(text), "", *lines, "", _contents(names)])


def _contents(names: list[str]) -> str:
    """Return a hidden list of pages: their order, and their place in the sidebar."""
    return "\n".join([".. toctree::", "   :hidden:", "", *(f"   {name}" for name in names), ""])


def _heading(title: str) -> str:
    return f"{title}\n{'=' * len(title)}\n"


def _file(module: str) -> str:
    return module.removeprefix("tervit_np.").replace(".", "/") + ".py"


def _first_paragraph(module: str) -> str:
    """Return the first paragraph of a module's docstring, on one line."""
    text = importlib.import_module(module).__doc__ or ""
    return as_rst(" ".join(text.split("\n\n")[0].split()))


def _page(module: str) -> str:
    """Return the page of one module."""
    file = _file(module)
    return f"""\
{_heading(file)}
.. automodule:: {module}

The file
--------

{code_block(read(f"tervit_np/{file}"), "python")}"""


def _public_names() -> str:
    """Return the page of the names of tervit_np itself."""
    rows = []
    for name in tervit_np.__all__:
        item = getattr(tervit_np, name)
        if not isinstance(item, str):  # the version
            first = " ".join((inspect.getdoc(item) or "").split("\n\n")[0].split())
            rows.append(f"{_public_name(name, item)}\n    {as_rst(first)}\n")
    example = as_rst(tervit_np.__doc__ or "")
    return "\n".join([_heading("tv, the public names"), example, "", *rows])


def _public_name(name: str, item: Any) -> str:
    """Return a name, as a link if the reference has a page for it."""
    module = item.__name__ if inspect.ismodule(item) else item.__module__
    short = module.removeprefix("tervit_np.")
    package = short.partition(".")[0]
    if package not in STUDIED:
        return f"``tv.{name}``"
    page = short if inspect.ismodule(item) and modules(short) else module
    return f":doc:`tv.{name} <{page}>`"


def docstring_as_rst(
    app: "Sphinx", what: str, name: str, item: Any, options: Any, lines: list[str]
) -> None:
    """Turn a docstring into rST; add the fields of tuples and data classes as they are written."""
    lines[:] = as_rst("\n".join(lines)).split("\n") + [""]
    if what == "class" and _has_fields(item):
        source = textwrap.dedent(inspect.getsource(item)).split("\n")
        fields = ast.parse("\n".join(source)).body[0]
        shown = [
            source[node.lineno - 1 : node.end_lineno]
            for node in fields.body
            if isinstance(node, ast.AnnAssign)
        ]
        lines += ["::", "", *[f"    {line.strip()}" for field in shown for line in field], ""]


def signature_as_written(
    app: "Sphinx", what: str, name: str, item: Any, options: Any, given: str | None, returns: Any
) -> tuple[str | None, str | None] | None:
    """Return the signature as it stands in the file: types have their short names there."""
    if what == "class" and _has_fields(item):
        return "", None
    function = item.__init__ if what in ("class", "exception") else item
    try:
        node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (TypeError, OSError, SyntaxError):
        return None
    if not isinstance(node, ast.FunctionDef):
        return None
    if what in ("class", "exception") or "." in function.__qualname__:
        node.args.args = node.args.args[1:]  # self
    back = None if node.returns is None or what == "class" else ast.unparse(node.returns)
    return f"({ast.unparse(node.args)})", back


def skip_fields(
    app: "Sphinx", what: str, name: str, item: Any, skip: bool, options: Any
) -> bool | None:
    """Skip the fields of tuples, which the class lists."""
    return True if type(item).__name__ == "_tuplegetter" else None


def _has_fields(item: Any) -> bool:
    return hasattr(item, "_fields") or hasattr(item, "__dataclass_fields__")
