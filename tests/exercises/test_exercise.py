import re
from dataclasses import replace

import pytest

from tervit_np.exercises.exercise import Finding, WrongAnswer
from tervit_np.exercises.tasks import find_exercise

LINEAR = find_exercise("linear_backward")


def test_a_finding_without_a_message_is_right():
    assert Finding("x").ok
    assert not Finding("x", "it is transposed").ok


def test_the_files_begin_with_the_task():
    for text in (LINEAR.student_file(), LINEAR.solved_file()):
        assert text.startswith('"""linear_backward: the backward pass of a linear layer.\n\n')
        assert LINEAR.task.strip() in text
        assert "\n\nExplained in tutorials/01_linear.py; `tervit learn 01` copies it.\n" in text
    assert LINEAR.defines == ["linear_backward"]


def test_a_wrong_answer_replaces_a_line():
    """Of the plain solution; of the library's lines, if the plain solution has no such line."""
    wrong = LINEAR.wrong_file(LINEAR.wrong_answers[0])
    assert wrong == LINEAR.plain_file().replace("dy2.T @ x2", "x2.T @ dy2")
    layernorm = find_exercise("layernorm_backward")
    of_library = next(a for a in layernorm.wrong_answers if "along_ones" in a.original)
    expected = layernorm.solved_file().replace(of_library.original, of_library.replacement)
    assert layernorm.wrong_file(of_library) == expected


def test_the_plain_solution_has_one_part_for_each_fence():
    with pytest.raises(ValueError, match="zip"):
        replace(LINEAR, plain=("pass", "pass")).plain_file()


@pytest.mark.parametrize(("original", "count"), [("nowhere", 0), ("dy2.", 2)])
def test_a_wrong_answer_that_no_longer_fits_is_refused(original, count):
    stale = replace(LINEAR, wrong_answers=(WrongAnswer("", original, "", ""),))
    with pytest.raises(
        ValueError, match=f"'{re.escape(original)}' occurs {count} times, expected once"
    ):
        stale.wrong_file(stale.wrong_answers[0])
