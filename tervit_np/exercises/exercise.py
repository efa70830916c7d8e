"""What an exercise is made of, and what is found when a student's file is checked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

from tervit_np.exercises.fences import fenced_lines, library_source
from tervit_np.exercises.student_file import fenced_definitions, solved_file, student_file


class Finding(NamedTuple):
    """One thing that was checked; `why` explains what is wrong, empty where it is right."""

    what: str
    why: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is right."""
        return not self.why


class Wrong(NamedTuple):
    """A wrong answer: `right` in the library's lines becomes `wrong`.

    The check must fail with a sentence that contains `says`.
    """

    about: str
    right: str
    wrong: str
    says: str


@dataclass(frozen=True)
class Exercise:
    """A part of the library to be written anew.

    `check` takes the student's module and yields findings, the simplest first; whoever runs it
    stops at the first that is wrong. `task` is a docstring: its first line names what to write.
    """

    name: str
    module: str  # of the library, where the fence is: "ops.linear"
    chapter: str  # the tutorial that explains it: "01_linear"
    title: str
    task: str
    hints: tuple[str, str, str]
    check: Callable[[ModuleType], Iterator[Finding]]
    wrong: tuple[Wrong, ...]

    @property
    def file_name(self) -> str:
        """Name of the student's file."""
        return f"{self.name}.py"

    @property
    def defines(self) -> list[str]:
        """Name the functions and classes that the student's file must define."""
        return fenced_definitions(library_source(self.module), self.name)

    def student_file(self) -> str:
        """Make the text of the file to be completed."""
        return student_file(self.module, self.name, self.text())

    def solved_file(self) -> str:
        """Make the text of the file with the library's own lines."""
        return solved_file(self.module, self.name, self.text())

    def solution(self) -> str:
        """Return the library's own lines alone."""
        return fenced_lines(library_source(self.module), self.name)

    def wrong_file(self, wrong: Wrong) -> str:
        """Make the text of the file with a wrong answer.

        Raises
        ------
        ValueError
            If what it replaces does not occur exactly once.
        """
        solved = self.solved_file()
        if solved.count(wrong.right) != 1:
            raise ValueError(
                f"exercise {self.name}: {wrong.right!r} occurs {solved.count(wrong.right)} times, "
                "expected once; the library has changed, so must the wrong answer"
            )
        return solved.replace(wrong.right, wrong.wrong)

    def text(self) -> str:
        """Say what is to be done; the docstring of the student's file."""
        head = f"{self.name}: {self.title}.\n\n{self.task.strip()}"
        return f"{head}\n\nExplained in tutorials/{self.chapter}.py."
