"""Grade a student's file: load it as a module, run the check, explain what is wrong.

isolated_run.py runs this in a process of its own, so that an endless loop can be stopped and the
memory limited:  python -c "... main()" EXERCISE FILE REPORT TRACE SECONDS STUDENT
"""

import contextlib
import faulthandler
import importlib
import inspect
import json
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.backends import backend
from tervit_np.exercises.exercise import Exercise, Finding
from tervit_np.exercises.explaining import explain, shorten
from tervit_np.exercises.library_answer import refuse_library_answer
from tervit_np.exercises.numbers import numbers_of

_MEMORY, _FILE = 4 << 30, 64 << 20  # bytes; a check needs a fraction of one percent
_TEXT = 2000  # characters of a finding


def grade(exercise: Exercise, file: Path, student: str = "") -> list[Finding]:
    """Run the check of one exercise on a file, up to the first finding that is wrong.

    Compiled code is off: it does not contain the student's lines.
    """
    findings: list[Finding] = []
    try:
        with (
            backend("numpy"),
            np.errstate(all="ignore"),
            warnings.catch_warnings(),
            numbers_of(student),
            refuse_library_answer(exercise.defines, file),
        ):
            warnings.simplefilter("ignore")
            module = load(file)
            if fault := _missing_definition(exercise, module) or _other_signature(exercise, module):
                return [fault]
            for finding in exercise.check(module):
                findings.append(finding)
                if not finding.ok:
                    break
    except (Exception, SystemExit) as error:
        findings.append(explain(error, file))
    return findings


def load(file: Path) -> ModuleType:
    """Run a file as a module that no other module can import.

    It is compiled anew: cached bytecode could be that of a save in the same second.
    """
    module = ModuleType(f"answer_{file.stem}")
    exec(compile(file.read_bytes(), str(file), "exec"), vars(module))
    return module


def _missing_definition(exercise: Exercise, module: ModuleType) -> Finding | None:
    """Look for a function or class that the file must define and does not."""
    for name in exercise.defines:
        if getattr(getattr(module, name, None), "__module__", None) != module.__name__:
            return Finding(name, f"the file must define {name} itself, under this name")
    return None


def _other_signature(exercise: Exercise, module: ModuleType) -> Finding | None:
    """Look for a function whose parameters are not those of the file that was handed out."""
    library = importlib.import_module(f"tervit_np.{exercise.module}")
    for name in exercise.defines:
        expected, written = (_parameters(name, getattr(m, name)) for m in (library, module))
        for function, names in expected.items():
            if written.get(function) != names:
                return Finding(function, f"keep the signature {function}({', '.join(names)})")
    return None


def _parameters(name: str, definition: Any) -> dict[str, list[str]]:
    """Name the parameters of a function, or of each method of a class."""
    functions = {name: definition}
    if isinstance(definition, type):
        parts = {key: getattr(part, "__func__", part) for key, part in vars(definition).items()}
        functions = {f"{name}.{key}": f for key, f in parts.items() if inspect.isfunction(f)}
    return {key: list(inspect.signature(f).parameters) for key, f in functions.items()}


def main() -> None:
    """Grade the file that the arguments name, and write the findings to REPORT."""
    from tervit_np.exercises.tasks import find_exercise

    name, file, report, trace, seconds, student = sys.argv[1:]
    del sys.argv[1:]
    secret = sys.stdin.readline().strip()  # nothing else comes: `input()` finds the end
    exercise = find_exercise(name)
    _limit_resources()
    with open(trace, "w") as lines:
        faulthandler.dump_traceback_later(float(seconds), exit=True, file=lines)
        findings = grade(exercise, Path(file), student)
        faulthandler.cancel_dump_traceback_later()
    content = {"secret": secret, "findings": [[shorten(t, _TEXT) for t in f] for f in findings]}
    Path(report).write_text(json.dumps(content), encoding="utf-8")


def _limit_resources() -> None:
    """Limit the memory of this process and the files that it writes, on systems that can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE, _FILE))
