"""What an exercise consists of, and what its check finds in a student's file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

from tervit_np.exercises.fences import (
    fenced_lines,
    fenced_parts,
    fences,
    function_of,
    library_source,
)
from tervit_np.exercises.student_file import (
    fenced_definitions,
    plain_file,
    solved_file,
    student_file,
)


class Finding(NamedTuple):
    """The result of one check; `message` explains what is wrong and is empty if all is right."""

    what: str
    message: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.message


class WrongAnswer(NamedTuple):
    """A wrong answer that the check must catch: in a solution, one text is replaced.

    The text is one of the plain solution or, if that does not have it, of the library's lines. The
    check must fail with a message that contains `message`.
    """

    about: str
    original: str
    replacement: str
    message: str


@dataclass(frozen=True)
class Exercise:
    """A part of the library for students to write.

    `check` takes the student's module and yields findings, the simplest first; the grader stops at
    the first that is wrong. `task` is the text of the student's docstring, below its title. `plain`
    is a solution that needs no more than the task and the chapter, one text for each fence.
    """

    name: str
    module: str  # of the library, where the fence is: "ops.linear"
    chapter: str  # the tutorial that explains it: "01_linear"
    title: str
    task: str
    hints: tuple[str, str, str]
    check: Callable[[ModuleType], Iterator[Finding]]
    wrong_answers: tuple[WrongAnswer, ...]
    plain: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """Name of the student's file."""
        return f"{self.name}.py"

    @property
    def defines(self) -> list[str]:
        """Name the functions and classes that the student's file must define."""
        return fenced_definitions(library_source(self.module), self.name)

    def student_file(self) -> str:
        """Return the text of the file that the student completes."""
        return student_file(self.module, self.name, self.instructions())

    def solved_file(self) -> str:
        """Return the text of the file with the library's lines in it."""
        return solved_file(self.module, self.name, self.instructions())

    def plain_file(self) -> str:
        """Return the text of the file with the plain solution in it."""
        return plain_file(self.module, self.name, self.instructions(), self.plain)

    def solution(self) -> str:
        """Return the library's lines alone."""
        return fenced_lines(library_source(self.module), self.name)

    def library_parts(self) -> tuple[str, ...]:
        """Return the library's lines of each fence."""
        return tuple(fenced_parts(library_source(self.module), self.name))

    def functions(self) -> list[str]:
        """Name the function that each fence is in."""
        source = library_source(self.module)
        return [function_of(source, fence) for fence in fences(source, self.name)]

    def right_and_wrong_file(self, answer: WrongAnswer) -> tuple[str, str]:
        """Return the text of a file with a solution in it, and the same with a wrong answer.

        Raises
        ------
        ValueError
            If the text to replace does not occur exactly once.
        """
        solved = self.plain_file()
        if answer.original not in solved:
            solved = self.solved_file()
        if (count := solved.count(answer.original)) != 1:
            raise ValueError(
                f"exercise {self.name}: {answer.original!r} occurs {count} times, expected once; "
                "the solution has changed, update the wrong answer"
            )
        return solved, solved.replace(answer.original, answer.replacement)

    def wrong_file(self, answer: WrongAnswer) -> str:
        """Return the text of the file with a wrong answer in it; ValueError as above."""
        return self.right_and_wrong_file(answer)[1]

    def instructions(self) -> str:
        """Return title and task, the docstring of the student's file."""
        head = f"{self.name}: {self.title}.\n\n{self.task.strip()}"
        copy = f"`tervit learn {self.chapter.partition('_')[0]}` copies it"
        return f"{head}\n\nExplained in tutorials/{self.chapter}.py; {copy}."
