"""Judge a student's file: load it as a module of its own, run the check, explain what is wrong.

`trial.py` runs this in a process of its own, where an endless loop can be ended and too much memory
refused:  python -c "... main()" EXERCISE FILE REPORT STALL SECONDS
"""

import contextlib
import faulthandler
import json
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np

from tervit_np.backends import backend
from tervit_np.exercises.exercise import Exercise, Finding
from tervit_np.exercises.explaining import explain

_MEMORY = 4 << 30  # bytes; a check needs a fraction of one percent


def judge(exercise: Exercise, file: Path) -> list[Finding]:
    """Run the check of one exercise on a file, up to the first thing that is wrong.

    Compiled twins are off: they do not hold what the student wrote.
    """
    found: list[Finding] = []
    try:
        with backend("numpy"), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = load(file)
            if absent := _absent(exercise, module):
                return [absent]
            for finding in exercise.check(module):
                found.append(finding)
                if not finding.ok:
                    break
    except (Exception, SystemExit) as error:
        found.append(explain(error, file))
    return found


def load(file: Path) -> ModuleType:
    """Run a file as a module that no other module can import.

    It is compiled here, because bytecode on disk could be that of a save in the same second.
    """
    module = ModuleType(f"answer_{file.stem}")
    exec(compile(file.read_bytes(), str(file), "exec"), vars(module))
    return module


def _absent(exercise: Exercise, module: ModuleType) -> Finding | None:
    """Look for what the file must define itself."""
    for name in exercise.defines:
        if getattr(getattr(module, name, None), "__module__", None) != module.__name__:
            return Finding(name, f"the file must define {name} itself, under this name")
    return None


def main() -> None:
    """Judge, and write the findings into a file."""
    from tervit_np.exercises.tasks import find_exercise

    name, file, report, stall, seconds = sys.argv[1:]
    exercise = find_exercise(name)
    _limit_memory()
    with open(stall, "w") as lines:
        faulthandler.dump_traceback_later(float(seconds), exit=True, file=lines)
        findings = judge(exercise, Path(file))
        faulthandler.cancel_dump_traceback_later()
    Path(report).write_text(json.dumps(findings), encoding="utf-8")


def _limit_memory() -> None:
    """Refuse more memory than any answer needs, where the system can do it."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
