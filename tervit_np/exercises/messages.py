"""Verdicts, hints and solutions as lines of text, for a terminal or a results file."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

from tervit_np.exercises.exercise import Exercise
from tervit_np.exercises.isolated_run import Verdict
from tervit_np.exercises.student_file import NOT_WRITTEN

_WIDTH = 80  # of a terminal
_PRINTED = 12  # lines of a file's output that are shown
_COMMENT = re.compile(r"\s*#.*")


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """Write the findings, a line for each, and the output of the file."""
    for finding in verdict.findings:
        todo = finding.message.startswith(NOT_WRITTEN)
        mark = "ok   " if finding.ok else "to do" if todo else "WRONG"
        yield from _filled(finding.what, f"  {mark}  ")
        if finding.message:
            yield from _filled(finding.message, "         ")
    if verdict.printed:
        yield "  your file printed:"
        lines = textwrap.indent(verdict.printed, "    ").splitlines()
        yield from lines[:_PRINTED]
        if len(lines) > _PRINTED:
            yield "    ..."


def grade_lines(graded: Iterable[tuple[Exercise, Verdict | None]]) -> Iterator[str]:
    """Write a line for each file, with its token, and the exercises without one."""
    absent = []
    for exercise, verdict in graded:
        if verdict is None:
            absent.append(exercise.name)
        else:
            right = "right" if verdict.passed else "wrong"
            yield f"{exercise.name}: {right}, token {verdict.token}"
    if absent:
        yield from _filled(", ".join(absent), "absent: ")


def hint_lines(exercise: Exercise, count: int, command: str) -> Iterator[str]:
    """Write the first hints of an exercise, and the command that shows one more."""
    for i, hint in enumerate(exercise.hints[:count], 1):
        yield f"{exercise.name}, hint {i} of {len(exercise.hints)}"
        for paragraph in hint.splitlines():
            yield from _filled(paragraph, "  ")
        yield ""
    remaining = len(exercise.hints) - count
    yield f"{remaining} more: {command} again" if remaining else "that was the last one"


def solution_lines(exercise: Exercise) -> Iterator[str]:
    """Write the plain solution, then the library's lines."""
    if exercise.plain:
        yield "A plain solution:"
        yield ""
        yield from _parts(exercise, exercise.plain)
        yield ""
    yield f"The lines of tervit_np/{exercise.module.replace('.', '/')}.py:"
    yield ""
    yield from _parts(exercise, exercise.library_parts())


def _parts(exercise: Exercise, parts: Sequence[str]) -> Iterator[str]:
    """Write the lines of each fence; where there are several, below the function's name."""
    for i, (function, part) in enumerate(zip(exercise.functions(), parts, strict=True)):
        if i > 0:
            yield ""
        if len(parts) > 1:
            yield f"  in {function}:"
        yield from textwrap.indent(textwrap.dedent(part).strip("\n"), "    ").splitlines()


def wrong_lines(exercise: Exercise) -> Iterator[str]:
    """Write the wrong answers that the check catches, and its message for each."""
    yield "Wrong answers that the tests try, and what the check says to each:"
    for answer in exercise.wrong_answers:
        yield ""
        yield f"  {answer.about}"
        yield from _difference(*exercise.right_and_wrong_file(answer))
        yield from _filled(f"-> {answer.message}", "    ")


def _difference(right: str, wrong: str) -> Iterator[str]:
    """Write the lines that differ, whole but without comments, which are those of the right ones.

    The indent that all of them share is left out.
    """
    lines, others = (_COMMENT.sub("", text).splitlines() for text in (right, wrong))
    marked = []
    for kind, i, j, k, m in SequenceMatcher(None, lines, others, autojunk=False).get_opcodes():
        if kind != "equal":
            marked += [("-", line) for line in lines[i:j]] + [("+", line) for line in others[k:m]]
    marked = [(mark, line) for mark, line in marked if line.strip()]
    texts = textwrap.dedent("\n".join(line for _, line in marked)).split("\n")
    for (mark, _), text in zip(marked, texts, strict=True):
        yield f"    {mark} {text}"


def _filled(text: str, indent: str) -> list[str]:
    """Break a paragraph into lines; keep the leading spaces of formulas."""
    further = " " * (len(indent) + len(text) - len(text.lstrip(" ")))
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=further)
