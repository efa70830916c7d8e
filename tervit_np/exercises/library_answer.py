"""While a file is checked, the library's own function is not accepted as an answer.

    from tervit_np.ops import linear_backward as answer     ->  calling `answer` raises an exception

The library itself goes on calling it. This stops nobody who hides the call; docs/teaching.md says
so.
"""

import functools
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

    Every module of the library that has the function gets one that looks at its callers first.
    """
    patched = [
        (module, name, function)
        for module in _library_modules()
        for name in names
        if callable(function := vars(module).get(name)) and not isinstance(function, type)
    ]
    for module, name, function in patched:
        setattr(module, name, _guarded(function, name, str(file)))
    try:
        yield
    finally:
        for module, name, function in patched:
            setattr(module, name, function)


def _library_modules() -> list[ModuleType]:
    """Return all modules of the library that are loaded, but those of exercises."""
    own = "tervit_np.exercises"
    return [
        module
        for name, module in list(sys.modules.items())
        if name.split(".")[0] == "tervit_np" and not name.startswith(own) and module is not None
    ]


def _guarded(function: Callable[..., Any], name: str, file: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def guarded(*args: Any, **options: Any) -> Any:
        caller: FrameType | None = sys._getframe(1)
        while caller is not None:
            if caller.f_code.co_filename == file:
                raise LibraryAnswerUsed(name)
            caller = caller.f_back
        return function(*args, **options)

    return guarded
