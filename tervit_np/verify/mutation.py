"""Mutant a mistake: one line of the package's source replaced by another, for a while.

A mutant is text against text, so what it breaks can be shown as a difference of lines. The function
is compiled anew with the wrong line and put wherever the right one was imported.
"""

import inspect
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

CATCHERS = ("differences", "golden", "frozen", "structure")


class Edit(NamedTuple):
    """In `module`, function or Class.method `name`: `right` becomes `wrong`."""

    module: str  # below tervit_np
    name: str
    right: str
    wrong: str


class Mutant(NamedTuple):
    """A mistake somebody made."""

    name: str
    about: str
    caught_by: str  # the only kind of check that sees it
    edits: tuple[Edit, ...]


def mutant(caught_by: str, name: str, about: str, *edits: tuple[str, str, str, str]) -> Mutant:
    """Describe a mutant in one call."""
    return Mutant(name, about, caught_by, tuple(Edit(*edit) for edit in edits))


@contextmanager
def mutated(mistake: Mutant) -> Iterator[None]:
    """Run the enclosed lines with the mistake in place.

    Raises
    ------
    ValueError
        If a line of the mutant does not occur exactly once in the function it names.
    """
    undo: list[tuple[Any, str, Any]] = []
    by_function = defaultdict(list)
    for edit in mistake.edits:
        by_function[edit.module, edit.name].append(edit)
    try:
        for (module, name), edits in by_function.items():
            undo += _replace(module, name, edits)
        yield
    finally:
        for owner, name, value in reversed(undo):
            setattr(owner, name, value)


def _replace(module_name: str, path: str, edits: list[Edit]) -> list[tuple[Any, str, Any]]:
    """Put the wrong function in place.  -> what to set back: owner, name, right function."""
    import_module(f"tervit_np.{module_name}")
    module = sys.modules[f"tervit_np.{module_name}"]  # its package may hide it behind a function
    owner_name, dot, name = path.rpartition(".")
    owner = getattr(module, owner_name) if dot else module
    right = vars(owner)[name]
    source = textwrap.dedent(inspect.getsource(right))
    for edit in edits:
        if source.count(edit.right) != 1:
            raise ValueError(
                f"mutant: {edit.right!r} occurs {source.count(edit.right)} times in {module_name}."
                f"{path}, expected once; the source has changed, so must the mutant"
            )
        source = source.replace(edit.right, edit.wrong)
    made: dict[str, Any] = {}
    exec(compile(source, f"<mutant in {path}>", "exec"), vars(module), made)
    holders = [(owner, name)] if dot else _holders(right)
    for holder, attribute in holders:
        setattr(holder, attribute, made[name])
    return [(holder, attribute, right) for holder, attribute in holders]


def _holders(function: Any) -> list[tuple[Any, str]]:
    """Find every module of the package that holds the function, under whatever name."""
    modules = [m for n, m in list(sys.modules.items()) if n.startswith("tervit_np") and m]
    return [
        (m, name) for m in modules for name, value in list(vars(m).items()) if value is function
    ]
