"""While a file is checked, the library's own function is not accepted as an answer.

    from tervit_np.ops import linear_backward as answer     ->  calling `answer` raises an exception

The library itself goes on calling it. This stops nobody who hides the call; docs/teaching.md says
so.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any


class LibraryAnswerUsed(Exception):
    """A student's file called the library's function that it should write."""


@contextmanager
def refuse_library_answer(names: list[str], file: Path) -> Iterator[None]:
    """Raise LibraryAnswerUsed where `file` calls a function of the library with one of the names.

    Every module of the library that has the function gets one that looks at its callers first. If a
    name is that of a class, this holds for its methods.
    """
    patched = [
        (owner, name, function)
        for module in _library_modules()
        for wanted in names
        for owner, name, function in _functions(module, wanted)
    ]
    for owner, name, function in patched:
        setattr(owner, name, _guarded(function, str(file)))
    try:
        yield
    finally:
        for owner, name, function in patched:
            setattr(owner, name, function)


def _functions(module: ModuleType, name: str) -> Iterator[tuple[Any, str, Callable[..., Any]]]:
    """Yield what holds a function of this name, or each method of a class, and the function."""
    value = vars(module).get(name)
    if not isinstance(value, type):
        if callable(value):
            yield module, name, value
    elif value.__module__ == module.__name__:  # where it is defined, and nowhere a second time
        for method, function in vars(value).items():
            if inspect.isfunction(function) and not method.startswith("__"):
                yield value, method, function


def _library_modules() -> list[ModuleType]:
    """Return all modules of the library that are loaded, but those of exercises."""
    own = "tervit_np.exercises"
    return [
        module
        for name, module in list(sys.modules.items())
        if name.split(".")[0] == "tervit_np" and not name.startswith(own) and module is not None
    ]


def _guarded(function: Callable[..., Any], file: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def guarded(*args: Any, **options: Any) -> Any:
        caller: FrameType | None = sys._getframe(1)
        while caller is not None:
            if caller.f_code.co_filename == file:
                raise LibraryAnswerUsed(function.__qualname__)
            caller = caller.f_back
        return function(*args, **options)

    return guarded
