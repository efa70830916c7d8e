"""Mutation testing: replace a line of the package's source by a wrong one, for a while.

A mutant replaces text by text, so it can be shown as a difference of lines. The function with the
wrong line is compiled and takes the place of the right one in every module that imported it.
"""

import inspect
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple


class Edit(NamedTuple):
    """In `module`, in the function or Class.method `name`, `original` becomes `replacement`.

    A method may be inherited; the class alone then gets the edited one.
    """

    module: str  # below tervit_np
    name: str
    original: str
    replacement: str


class Mutant(NamedTuple):
    """A typical mistake, as edits of the source."""

    name: str
    about: str
    caught_by: str  # the kind of check that must fail, a key of checks.CHECKS
    edits: tuple[Edit, ...]


class Patch(NamedTuple):
    """An attribute with a mutated function, and the original function to restore."""

    owner: Any  # a module or a class
    attribute: str
    original: Any  # None where the class has inherited it


def mutant(caught_by: str, name: str, about: str, *edits: tuple[str, str, str, str]) -> Mutant:
    """Describe a mutant in one call."""
    return Mutant(name, about, caught_by, tuple(Edit(*edit) for edit in edits))


@contextmanager
def mutated(mutant: Mutant) -> Iterator[None]:
    """Run the enclosed lines with a mutant in place.

    Raises
    ------
    ValueError
        If a line of the mutant does not occur exactly once in the function it names.
    """
    patches: list[Patch] = []
    by_function = defaultdict(list)
    for edit in mutant.edits:
        by_function[edit.module, edit.name].append(edit)
    try:
        for (module, path), edits in by_function.items():
            patches += _patch(module, path, edits)
        yield
    finally:
        for owner, attribute, original in reversed(patches):
            if original is None:
                delattr(owner, attribute)
            else:
                setattr(owner, attribute, original)


def _patch(module_name: str, path: str, edits: list[Edit]) -> list[Patch]:
    """Compile one edited function and put it in place of the original, everywhere."""
    import_module(f"tervit_np.{module_name}")
    module = sys.modules[f"tervit_np.{module_name}"]  # its package may have a function of this name
    class_name, dot, name = path.rpartition(".")
    owner = getattr(module, class_name) if dot else module
    original = getattr(owner, name)
    source = _edited(textwrap.dedent(inspect.getsource(original)), f"{module_name}.{path}", edits)
    namespace: dict[str, Any] = {}
    home = vars(sys.modules[original.__module__])
    exec(compile(source, f"<mutant in {path}>", "exec"), home, namespace)
    references = [(owner, name)] if dot else _references(original)
    patches = [Patch(holder, key, vars(holder).get(key)) for holder, key in references]
    for holder, key, _ in patches:
        setattr(holder, key, namespace[name])
    return patches


def _edited(source: str, path: str, edits: list[Edit]) -> str:
    """Apply edits to the source of a function."""
    for edit in edits:
        if (count := source.count(edit.original)) != 1:
            raise ValueError(
                f"mutant: {edit.original!r} occurs {count} times in {path}, expected once; "
                "the source has changed, update the mutant"
            )
        source = source.replace(edit.original, edit.replacement)
    return source


def _references(function: Any) -> list[tuple[Any, str]]:
    """Find every module of the package that has the function, under any name."""
    modules = [m for n, m in list(sys.modules.items()) if n.startswith("tervit_np") and m]
    return [
        (m, name) for m in modules for name, value in list(vars(m).items()) if value is function
    ]
