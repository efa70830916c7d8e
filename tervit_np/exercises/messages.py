"""Verdicts, hints and solutions in words, as a terminal or a grader shows them."""

import textwrap
from collections.abc import Iterator
from inspect import cleandoc

from tervit_np.exercises.exercise import Exercise
from tervit_np.exercises.isolated_run import Verdict
from tervit_np.exercises.student_file import NOT_WRITTEN

_WIDTH = 80  # of a terminal
_PRINTED = 12  # lines that are shown of what a file prints
_TWIN = (
    "compiled(...) returns compiled code for float32; for float64, as checked here, it returns "
    "None and the NumPy lines run."
)


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """Write what was found, a line for each thing that was checked."""
    for finding in verdict.findings:
        todo = finding.why.startswith(NOT_WRITTEN)
        yield f"  {'ok   ' if finding.ok else 'to do' if todo else 'WRONG'}  {finding.what}"
        if finding.why:
            yield from _filled(finding.why, "         ")
    if verdict.printed:
        yield "  your file printed:"
        lines = textwrap.indent(verdict.printed, "    ").splitlines()
        yield from lines[:_PRINTED]
        if len(lines) > _PRINTED:
            yield "    ..."


def hint_lines(exercise: Exercise, count: int, command: str) -> Iterator[str]:
    """Write the first hints of an exercise, and the command that shows one more."""
    for i, hint in enumerate(exercise.hints[:count], 1):
        yield f"{exercise.name}, hint {i} of {len(exercise.hints)}"
        for paragraph in hint.splitlines():
            yield from _filled(paragraph, "  ")
        yield ""
    left = len(exercise.hints) - count
    yield f"{left} more: {command} again" if left else "that was the last one"


def solution_lines(exercise: Exercise) -> Iterator[str]:
    """Write the library's own lines."""
    yield f"tervit_np/{exercise.module.replace('.', '/')}.py has, at this place:"
    yield ""
    yield from textwrap.indent(exercise.solution(), "    ").splitlines()
    if "compiled(" in exercise.solution():
        yield ""
        yield from _filled(_TWIN, "")


def wrong_lines(exercise: Exercise) -> Iterator[str]:
    """Write the wrong answers that the check is proven to catch, and what it says to each."""
    yield "Wrong answers that are planted in the tests, and what the check says:"
    for wrong in exercise.wrong:
        yield ""
        yield f"  {wrong.about}"
        yield from textwrap.indent(cleandoc(wrong.right), "    - ").splitlines()
        yield from textwrap.indent(cleandoc(wrong.wrong), "    + ").splitlines()
        yield from _filled(f"-> {wrong.says}", "    ")


def _filled(text: str, indent: str) -> list[str]:
    """Break a paragraph into lines; leading spaces stay, as formulas need them."""
    own = indent + " " * (len(text) - len(text.lstrip(" ")))
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=own)
