"""Answers of students, written to a file and judged in this process."""

import pytest

from tervit_np.exercises.grader import judge
from tervit_np.exercises.student_file import NOT_WRITTEN

CUT = f'    raise NotImplementedError("{NOT_WRITTEN}")\n'


@pytest.fixture
def answer(tmp_path):
    """Write the student's file of an exercise with some lines in the place of the cut."""

    def write(exercise, lines):
        text = exercise.student_file()
        assert text.count(CUT) == 1
        body = "".join(f"    {line}\n" for line in lines.strip("\n").split("\n"))
        file = tmp_path / exercise.file_name
        file.write_text(text.replace(CUT, body))
        return file

    return write


@pytest.fixture
def last(answer):
    """Judge some lines.  -> the last thing that was found."""

    def judged(exercise, lines):
        found = judge(exercise, answer(exercise, lines))
        assert all(finding.ok for finding in found[:-1])
        return found[-1]

    return judged
