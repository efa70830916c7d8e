import re
from dataclasses import replace

import pytest

from tervit_np.exercises.exercise import Finding, Wrong
from tervit_np.exercises.tasks import find_exercise

LINEAR = find_exercise("linear_backward")


def test_a_finding_is_right_without_an_explanation():
    assert Finding("x").ok
    assert not Finding("x", "why").ok


def test_the_files_begin_with_the_task():
    for text in (LINEAR.student_file(), LINEAR.solved_file()):
        assert text.startswith('"""linear_backward: the backward pass of a linear layer.\n\n')
        assert LINEAR.task.strip() in text
        assert "\n\nExplained in tutorials/01_linear.py.\n" in text
    assert LINEAR.defines == ["linear_backward"]


def test_a_wrong_answer_replaces_a_line():
    wrong = LINEAR.wrong_file(LINEAR.wrong[0])
    assert wrong == LINEAR.solved_file().replace("dy2.T @ x2", "x2.T @ dy2")


@pytest.mark.parametrize(("right", "count"), [("nowhere", 0), ("dy2.", 2)])
def test_a_wrong_answer_that_no_longer_fits_says_so(right, count):
    stale = replace(LINEAR, wrong=(Wrong("", right, "", ""),))
    with pytest.raises(
        ValueError, match=f"'{re.escape(right)}' occurs {count} times, expected once"
    ):
        stale.wrong_file(stale.wrong[0])
