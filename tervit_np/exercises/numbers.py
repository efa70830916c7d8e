"""Random numbers of the checks: the same at every check of one student, others for another student.

Without a name all students get the same numbers.
"""

import hashlib
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

_student: ContextVar[str] = ContextVar("student", default="")


def student_name(name: str) -> str:
    """Return a name without the differences that folders and keyboards make: case, spaces, accents.

    A letter with an accent is one character in some file systems and two in others. Bytes that are
    not UTF-8, as in folders from older archives, become escapes.
    """
    text = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


@contextmanager
def numbers_of(student: str) -> Iterator[None]:
    """Let the checks in this context draw the numbers of one student."""
    token = _student.set(student_name(student))
    try:
        yield
    finally:
        _student.reset(token)


def check_rng(stream: int = 0) -> np.random.Generator:
    """Return a new generator of the numbers of a check; another `stream` gives other numbers."""
    if not (student := _student.get()):
        return np.random.default_rng(stream)
    digest = hashlib.sha256(student.encode()).digest()
    return np.random.default_rng([stream, int.from_bytes(digest[:8], "little")])
