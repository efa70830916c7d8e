"""A public docstring names the errors that the lines below it raise."""

import ast
import importlib
import inspect
import re
import textwrap

import pytest

PACKAGES = ["ops", "quant", "nn", "kernels", "losses", "models", "checkpoints", "deploy", "train"]
CHECKS = re.compile(r"_?(check|require)_\w+")  # functions whose purpose is to raise
CONSTRUCTORS = ("__init__", "__post_init__")  # their errors are in the docstring of the class
NAMED = re.compile(r"\b[Rr]aise[sd]?\b|\b[A-Z]\w+Error\b")


def raises(function):
    """Whether a function raises, or calls a check."""
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Raise) and node.exc is not None:  # alone it passes an error on
            return "NotImplementedError" not in ast.unparse(node.exc)
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if CHECKS.fullmatch(name):
                return True
    return False


def docstrings(cls, name):
    """Return the docstrings of a method in a class and in those that it inherits from."""
    if name in CONSTRUCTORS:
        return cls.__doc__ or ""
    methods = [vars(base).get(name) for base in cls.__mro__]
    return "\n".join(inspect.getdoc(method) or "" for method in methods if method is not None)


def documented(item):
    """Yield (name, docstring) of a function, or of each public method of a class, that raises."""
    if inspect.isfunction(item) and raises(item):
        yield item.__name__, item.__doc__ or ""
    if not inspect.isclass(item):
        return
    for name, value in vars(item).items():
        method = value.fget if isinstance(value, property) else value
        # The __init__ of a dataclass or a protocol is generated; a __post_init__ is written here.
        is_own = inspect.isfunction(method) and inspect.getfile(method) == inspect.getfile(item)
        if is_own and (not name.startswith("_") or name in CONSTRUCTORS) and raises(method):
            yield f"{item.__name__}.{name}", docstrings(item, name)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_public_docstring_names_its_errors(package):
    module = importlib.import_module(f"tervit_np.{package}")
    public = [name for name in getattr(module, "__all__", vars(module)) if not name.startswith("_")]
    found = [pair for name in public for pair in documented(getattr(module, name))]
    assert found
    assert [name for name, text in found if not NAMED.search(text)] == []
