"""`tervit exercise grade`: the exercises of a class, one folder for each student, as a table."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_tools.counted import counted
from data_tools.terminal import printable
from tervit_np.files import check_writable, write_text

if TYPE_CHECKING:
    from tervit_np.exercises.exercise import Exercise
    from tervit_np.exercises.isolated_run import Verdict

    Graded = list[tuple[Exercise, Verdict | None]]


def grade_class(folder: Path, table: Path, exercises: "Sequence[Exercise]", seconds: float) -> int:
    """Grade each student's folder, with the numbers drawn for its name.  -> exit code 0.

    The table is written anew after each student, so that Ctrl-C loses only the one at work.

    Raises
    ------
    ValueError
        If there is no folder of a student.
    OSError
        If the table cannot be written.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    students = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    if not students:
        raise ValueError(
            f"{folder} has no folders; expected one for each student, named as they are"
        )
    check_writable(table)
    rows: list[tuple[str, Graded]] = []
    for student in students:
        rows.append((student.name, _graded(student, exercises, seconds)))
        write_text(table, as_csv(exercises, rows))
        print(f"{student.name}: {_summary(rows[-1][1])}", flush=True)
    print(f"{table}: {counted(len(rows), 'student')}, {counted(len(exercises), 'exercise')}")
    return 0


def _graded(student: Path, exercises: "Sequence[Exercise]", seconds: float) -> "Graded":
    """Check the files of a student; None stands for one that is absent."""
    from tervit_np.exercises.isolated_run import run_isolated

    return [
        (e, run_isolated(e, file, seconds, student.name) if file.exists() else None)
        for e in exercises
        for file in (student / e.file_name,)
    ]


def as_csv(exercises: "Sequence[Exercise]", rows: "list[tuple[str, Graded]]") -> str:
    """Return a line for each student: how many are right; 1, 0 or nothing for each; the tokens."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [exercise.name for exercise in exercises]
    writer.writerow(["student", "right", *names, *(f"token of {name}" for name in names)])
    for student, graded in rows:
        verdicts = [verdict for _, verdict in graded]
        scores = ["" if v is None else int(v.passed) for v in verdicts]
        tokens = ["" if v is None else v.token for v in verdicts]
        writer.writerow([printable(student), sum(s == 1 for s in scores), *scores, *tokens])
    return text.getvalue()


def _summary(graded: "Graded") -> str:
    """Write how many are right, and name those that are wrong."""
    right = sum(v is not None and v.passed for _, v in graded)
    wrong = [exercise.name for exercise, v in graded if v is not None and not v.passed]
    absent = sum(v is None for _, v in graded)
    parts = [f"{right} of {len(graded)} right"]
    parts += [f"wrong: {', '.join(wrong)}"] if wrong else []
    return "; ".join(parts + ([f"{absent} absent"] if absent else []))
