"""Explain an exception in a student's file in one sentence: the line, the error, the shapes.

There is no traceback: most of its lines would be the library's.
"""

import re
from bdb import BdbQuit
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from tervit_np.exercises.exercise import Finding
from tervit_np.exercises.library_answer import LibraryAnswerUsed
from tervit_np.exercises.student_file import NOT_WRITTEN

_SHAPE_ERRORS = (ValueError, IndexError, TypeError, AttributeError)
_READ_ONLY = "read-only"  # in NumPy's message when something writes into a read-only array
_LINE, _MESSAGE = 200, 1000  # characters that are shown
_NAMES = re.compile(r"[A-Za-z_][\w.]*")


def explain(error: BaseException, file: Path) -> Finding:
    """Explain an exception that a student's file raised, itself or in the check that ran it."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        text = (error.text or "").strip()
        return Finding(
            _at(error.lineno or 0, text),
            f"Python cannot read this line: {shorten(error.msg, _MESSAGE)}",
        )
    frame, number = _last_frame(error, file)
    if frame is None:
        return Finding("it runs", _sentence(error))
    line, message, more = line_of(file, number), _sentence(error), ""
    if isinstance(error, NameError):
        more = shorten(f"defined here: {', '.join(frame.f_locals)}", _MESSAGE)
    elif isinstance(error, AttributeError) and (fields := _fields(error.obj)):
        more = f"it has {fields}"
    elif isinstance(error, _SHAPE_ERRORS) and _READ_ONLY not in _text_of(error):
        more = _shapes(line, frame)
    return Finding(_at(number, line), message + (f" ({more})" if more else ""))


def timed_out(lines: list[str], number: int | None, seconds: float) -> Finding:
    """Explain a run that was stopped after `seconds`, in line `number` if it is known."""
    what = "it ends" if number is None else _at(number, _line(lines, number))
    return Finding(what, f"still running after {seconds:g} s: does this loop ever end?")


def line_of(file: Path, number: int) -> str:
    """Return one line of a file, counted from 1, without its indent."""
    return _line(lines_of(file.read_bytes()), number)


def lines_of(content: bytes) -> list[str]:
    """Split a file where Python counts its lines: not at form feeds, as `str.splitlines` does."""
    return [line.decode(errors="replace") for line in content.splitlines()]


def _line(lines: list[str], number: int) -> str:
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def _at(number: int, line: str) -> str:
    return f"line {number}, `{shorten(line, _LINE)}`" if line else f"line {number}"


def shorten(text: str, length: int) -> str:
    """Return text, cut if it is longer."""
    return text if len(text) <= length else f"{text[:length]}..."


def _last_frame(error: BaseException, file: Path) -> tuple[FrameType | None, int]:
    """Return the innermost frame of the student's file in a traceback, and its line."""
    last: tuple[FrameType | None, int] = (None, 0)
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == str(file):
            last = step.tb_frame, step.tb_lineno
        step = step.tb_next
    return last


def _fields(value: object) -> str:
    """Name the fields of a cache, or of another named tuple."""
    return shorten(", ".join(map(str, getattr(value, "_fields", ()))), _MESSAGE)


def _sentence(error: BaseException) -> str:
    text = _text_of(error)
    if isinstance(error, NotImplementedError):
        return f"{NOT_WRITTEN}: put your lines in place of this one"
    if isinstance(error, ValueError) and _READ_ONLY in text:
        return (
            "this writes into an array that the caller still needs unchanged: make a new one "
            "(`a = a * b` instead of `a *= b`)"
        )
    if isinstance(error, ValueError) and ("matmul" in text or "broadcast" in text):
        return f"these shapes do not fit each other: {_readable(text)}"
    if isinstance(error, LibraryAnswerUsed):
        return f"{text} of the library is the answer itself: write it in its place"
    if isinstance(error, SystemExit):
        return "this ends Python; return the result instead"
    if isinstance(error, RecursionError):
        return "the function calls itself endlessly"
    if isinstance(error, MemoryError):
        return "this needs more memory than is allowed: does an array hold all rows times all rows?"
    if isinstance(error, EOFError | BdbQuit):
        return "this waits for input, but no input can be given here"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _text_of(error: BaseException) -> str:
    """Return the beginning of an exception's text; a student's class may fail to write it."""
    try:
        return shorten(str(error), _MESSAGE)
    except Exception:
        return ""


def _readable(text: str) -> str:
    """Shorten NumPy's message about shapes to the sizes that differ."""
    if sizes := re.search(r"size (\d+) is different from (\d+)", text):
        return f"the inner sizes are {sizes[2]} and {sizes[1]}"
    shapes = [tuple(map(int, re.findall(r"\d+", s))) for s in re.findall(r"\([\d,]*\)", text)]
    if len(shapes) == 2 and shapes[1] == shapes[0][:-1]:
        column = (*shapes[1], 1)
        return f"{shapes[0]} and {shapes[1]}; with keepdims=True the second would be {column}"
    return " and ".join(map(str, shapes)) if shapes else text


def _shapes(line: str, frame: FrameType) -> str:
    """List the shapes of the arrays that a line names: `dy is (2, 3, 4), x2 is (6, 5)`."""
    shapes = {}
    for dotted in _NAMES.findall(line):
        name, *attributes = dotted.rstrip(".").split(".")
        value: Any = frame.f_locals.get(name)
        for part in attributes:
            if isinstance(value, np.ndarray) or not hasattr(value, part):
                break
            value, name = getattr(value, part), f"{name}.{part}"
        if isinstance(value, np.ndarray):
            shapes[name] = value.shape
    return ", ".join(f"{name} is {shape}" for name, shape in shapes.items())
