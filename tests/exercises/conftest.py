"""Answers of students, written to a file and graded in this process."""

import pytest

from tervit_np.exercises.grader import grade
from tervit_np.exercises.student_file import NOT_WRITTEN
from tervit_np.exercises.tasks import find_exercise

CUT = f'    raise NotImplementedError("{NOT_WRITTEN}")\n'


@pytest.fixture
def answer(tmp_path):
    """Write the student's file of an exercise with some lines in place of the cut."""

    def write(exercise, lines):
        text = exercise.student_file()
        assert text.count(CUT) == 1
        body = "".join(f"    {line}\n" for line in lines.strip("\n").split("\n"))
        file = tmp_path / exercise.file_name
        file.write_text(text.replace(CUT, body))
        return file

    return write


@pytest.fixture
def last_finding(answer):
    """Grade some lines.  -> the last finding."""

    def run(exercise, lines):
        findings = grade(exercise, answer(exercise, lines))
        assert all(finding.ok for finding in findings[:-1])
        return findings[-1]

    return run


@pytest.fixture
def finding_of(tmp_path):
    """Replace parts of a plain solution and grade it.  -> the last finding, which is wrong."""

    def run(name, *replacements):
        exercise = find_exercise(name)
        text = exercise.plain_file()
        for right, wrong in zip(replacements[::2], replacements[1::2], strict=True):
            assert right in text
            text = text.replace(right, wrong)
        file = tmp_path / exercise.file_name
        file.write_text(text)
        findings = grade(exercise, file)
        assert [finding.ok for finding in findings] == [*[True] * (len(findings) - 1), False]
        return findings[-1]

    return run
